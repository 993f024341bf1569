/* Reads what is new on all live streams with one XREADGROUP, and hands out entries. */
#include <string.h>

#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/io/stream_internal.h"

/* The value of the one field "m"; empty when the entry is of another shape, for that too is for the
   owner to set aside. SV_NULL when its fields are gone. */
static struct strview payload_of(const struct redis_reply *fields)
{
	if (redis_reply_kind(fields) == REDIS_NIL)
		return SV_NULL;
	if (redis_reply_len(fields) != 2 ||
		!sv_eq_cstr(redis_reply_string(redis_reply_at(fields, 0)), "m"))
		return SV_LIT("");
	return redis_reply_string(redis_reply_at(fields, 1));
}

bool stream_hand_out(
	struct stream *stream, const struct redis_reply *entry, int deliveries, bool *ret_was_new)
{
	struct stream_reader *reader = stream->reader;
	struct stream_id id;
	*ret_was_new = false;
	/* Trimmed away entries have no fields in some versions of Redis, or are missing; see
	 * on_claimed(). */
	if (redis_reply_len(entry) != 2 ||
		stream_id_parse(redis_reply_string(redis_reply_at(entry, 0)), &id) != 0)
		return true;
	if (stream_ids_get(&stream->ids, id) != STREAM_ID_ABSENT)
		return true;
	struct strview payload = payload_of(redis_reply_at(entry, 1));
	if (sv_is_null(payload)) {
		stream_ack_push(stream, id);
		return true;
	}
	(void)stream_ids_set(&stream->ids, id, STREAM_ID_IN_HAND);
	stream->n_in_hand++;
	reader->n_unacked++;
	char id_text[STREAM_ID_SIZE];
	stream_id_format(id, id_text);
	struct stream_entry out = {.stream = stream->name,
		.tag = stream->tag,
		.id = id_text,
		.payload = payload,
		.deliveries = deliveries};
	bool is_freed = false;
	reader->is_freed = &is_freed;
	reader->events.on_entry(reader->ctx, &out);
	if (is_freed)
		return false;
	reader->is_freed = NULL;
	*ret_was_new = true;
	return true;
}

/* Hand out the new entries of one stream. False: the reader was freed. */
static bool take_stream(
	const struct stream_reading *reading, const struct redis_reply *entries, bool *had_new)
{
	struct stream *stream = reading->stream;
	for (int i = 0; i < redis_reply_len(entries); i++) {
		/* A callback may have removed the stream, and even added it again: the entries then
		 * come once more. */
		if (stream->phase != STREAM_LIVE || stream->generation != reading->generation)
			return true;
		bool was_new;
		if (!stream_hand_out(stream, redis_reply_at(entries, i), 1, &was_new))
			return false;
		*had_new = *had_new || was_new;
	}
	return true;
}

/* Redis answers in the order in which the streams were asked for, without those that have nothing.
 */
static bool take_streams(
	struct stream_reader *reader, const struct redis_reply *reply, bool *had_new)
{
	int at = 0;
	for (int i = 0; i < redis_reply_len(reply); i++) {
		const struct redis_reply *pair = redis_reply_at(reply, i);
		if (redis_reply_len(pair) != 2)
			continue;
		struct strview name = redis_reply_string(redis_reply_at(pair, 0));
		while (at < reader->n_reading &&
			!sv_eq_cstr(name, reader->reading[at].stream->name))
			at++;
		if (at == reader->n_reading)
			return true;
		if (!take_stream(&reader->reading[at], redis_reply_at(pair, 1), had_new))
			return false;
	}
	return true;
}

static void doubt_all(struct stream_reader *reader, const struct redis_reply *error)
{
	struct strview text = redis_reply_string(error);
	bool is_gone = sv_starts_with(text, "NOGROUP") || sv_starts_with(text, "UNBLOCKED");
	for (int i = 0; i < reader->n_reading; i++) {
		if (reader->reading[i].stream->phase == STREAM_LIVE)
			stream_doubt(reader->reading[i].stream, is_gone ? 0 : STREAM_RETRY_MS);
	}
}

static void on_read(void *ctx, enum redis_status status, const struct redis_reply *reply)
{
	struct stream_reader *reader = ctx;
	bool had_new = false;
	if (status == REDIS_OK && !take_streams(reader, reply, &had_new))
		return;
	if (status == REDIS_REFUSED)
		doubt_all(reader, reply);
	reader->n_commands--;
	reader->n_reading = 0;
	loop_turn_request(reader->turn);
	if (had_new && reader->events.on_batch_end != NULL)
		reader->events.on_batch_end(reader->ctx); /* may free the reader */
}

static int collect_live(struct stream_reader *reader)
{
	reader->n_reading = 0;
	for (struct stream *stream = reader->streams; stream != NULL; stream = stream->next) {
		if (stream->phase != STREAM_LIVE)
			continue;
		if (reader->n_reading == reader->cap_reading) {
			reader->cap_reading =
				reader->cap_reading > 0 ? 2 * reader->cap_reading : 16;
			reader->reading = mem_realloc(reader->reading,
				(size_t)reader->cap_reading * sizeof(*reader->reading));
		}
		reader->reading[reader->n_reading++] =
			(struct stream_reading){.stream = stream, .generation = stream->generation};
	}
	return reader->n_reading;
}

bool stream_read_send(struct stream_reader *reader, int count, bool block)
{
	int n = collect_live(reader);
	int argc = 0;
	int64_t block_ms = block ? reader->options.block_ms : 0;
	if (n == 0)
		return false;
	pool_reset(reader->scratch);
	struct strview *argv = pool_array(reader->scratch, 9 + 2 * (size_t)n, sizeof(*argv));
	argv[argc++] = SV_LIT("XREADGROUP");
	argv[argc++] = SV_LIT("GROUP");
	argv[argc++] = sv_from(reader->group);
	argv[argc++] = SV_LIT(STREAM_CONSUMER);
	argv[argc++] = SV_LIT("COUNT");
	argv[argc++] = sv_from(pool_printf(reader->scratch, "%d", count));
	if (block) {
		argv[argc++] = SV_LIT("BLOCK");
		argv[argc++] = sv_from(pool_printf(reader->scratch, "%lld", (long long)block_ms));
	}
	argv[argc++] = SV_LIT("STREAMS");
	for (int i = 0; i < n; i++) {
		argv[argc + i] = sv_from(reader->reading[i].stream->name);
		argv[argc + n + i] = SV_LIT(">");
	}
	reader->n_commands++;
	redis_conn_command(reader->read_conn, argc + 2 * n, argv, block_ms + STREAM_DEADLINE_MS,
		on_read, reader);
	return true;
}
