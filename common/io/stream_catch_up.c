/*
 * Makes groups, and reads what was handed out before and not acknowledged: XPENDING says which ids
 * and how often, XCLAIM gives those that are not in hand (XREADGROUP from an id would count a
 * delivery for all of them).
 */
#include "common/base/clock.h"
#include "common/io/stream_internal.h"

/* Note that a command of this stream is out. */
static void command_sent(struct stream *stream)
{
	stream->n_commands++;
	stream->sent_generation = stream->generation;
	stream->reader->n_commands++;
}

/* Note its answer. False when the stream was removed meanwhile (and perhaps added again): the
 * answer is of no more use. */
static bool command_answered(struct stream *stream)
{
	stream->n_commands--;
	stream->reader->n_commands--;
	loop_turn_request(stream->reader->turn);
	return stream->phase != STREAM_REMOVED && stream->sent_generation == stream->generation;
}

static void begin_catch_up(struct stream *stream)
{
	stream->cursor = (struct stream_id){0, 0};
	stream->is_late_pass = false;
	stream_set_phase(stream, STREAM_CATCH_UP);
}

static void on_group(void *ctx, enum redis_status status, const struct redis_reply *reply)
{
	struct stream *stream = ctx;
	struct stream_reader *reader = stream->reader;
	if (!command_answered(stream) || stream->phase != STREAM_UNSURE)
		return;
	if (status == REDIS_REFUSED && sv_starts_with(redis_reply_string(reply), "BUSYGROUP")) {
		stream->has_group = true;
		begin_catch_up(stream);
		return;
	}
	if (status != REDIS_OK) {
		stream_doubt(stream, status == REDIS_REFUSED ? STREAM_RETRY_MS : 0);
		return;
	}
	bool was_lost = stream->has_group;
	stream->has_group = true;
	begin_catch_up(stream);
	if (!was_lost)
		return;
	stream_forget_in_hand(stream);
	if (reader->events.on_reset != NULL)
		reader->events.on_reset(
			reader->ctx, stream->name, stream->tag); /* may free the reader */
}

void stream_group_send(struct stream *stream)
{
	struct strview argv[] = {SV_LIT("XGROUP"), SV_LIT("CREATE"), sv_from(stream->name),
		sv_from(stream->reader->group), SV_LIT("0"), SV_LIT("MKSTREAM")};
	command_sent(stream);
	redis_conn_command(stream->reader->read_conn, (int)array_len(argv), argv,
		STREAM_DEADLINE_MS, on_group, stream);
}

/* The page is done with. */
static void end_page(struct stream *stream)
{
	if (!stream->is_last_page)
		return;
	stream->is_caught_up = true;
	stream->late_pass_ms = stream->is_late_pass ? 0 : clock_mono_ms() + STREAM_LATE_PASS_MS;
	stream_set_phase(stream, STREAM_LIVE);
}

static void page_failed(
	struct stream *stream, enum redis_status status, const struct redis_reply *reply)
{
	bool is_odd =
		status == REDIS_REFUSED && !sv_starts_with(redis_reply_string(reply), "NOGROUP");
	stream_doubt(stream, is_odd ? STREAM_RETRY_MS : 0);
}

/* How often the entry was delivered before this time; walks along both lists, which have the same
 * order. */
static int64_t find_count(const struct stream *stream, const struct redis_reply *entry, int *at)
{
	struct stream_id id;
	if (redis_reply_len(entry) == 0 ||
		stream_id_parse(redis_reply_string(redis_reply_at(entry, 0)), &id) != 0)
		return 0;
	for (int i = *at; i < stream->claimed.n; i++) {
		if (stream->claimed.ids[i].ms == id.ms &&
			stream->claimed.ids[i].number == id.number) {
			*at = i + 1;
			return (int64_t)stream->counts.ids[i].number;
		}
	}
	return 0;
}

/* What was asked for and did not come was trimmed away under the group. */
static void ack_missing(struct stream *stream)
{
	for (int i = 0; i < stream->claimed.n; i++) {
		if (stream_ids_get(&stream->ids, stream->claimed.ids[i]) == STREAM_ID_ABSENT)
			stream_ack_push(stream, stream->claimed.ids[i]);
	}
}

static void on_claimed(void *ctx, enum redis_status status, const struct redis_reply *reply)
{
	struct stream *stream = ctx;
	struct stream_reader *reader = stream->reader;
	if (!command_answered(stream) || stream->phase != STREAM_CATCH_UP)
		return;
	if (status != REDIS_OK) {
		page_failed(stream, status, reply);
		return;
	}
	bool had_new = false;
	int generation = stream->generation;
	int at = 0;
	for (int i = 0; i < redis_reply_len(reply); i++) {
		const struct redis_reply *entry = redis_reply_at(reply, i);
		int64_t count = find_count(stream, entry, &at) + (stream->is_caught_up ? 0 : 1);
		bool was_new;
		if (!stream_hand_out(stream, entry, count > 1 ? (int)count : 1, &was_new))
			return;
		had_new = had_new || was_new;
		if (stream->phase != STREAM_CATCH_UP || stream->generation != generation)
			break;
	}
	if (stream->phase == STREAM_CATCH_UP && stream->generation == generation) {
		ack_missing(stream);
		end_page(stream);
	}
	if (had_new && reader->events.on_batch_end != NULL)
		reader->events.on_batch_end(reader->ctx); /* may free the reader */
}

static void send_claim(struct stream *stream)
{
	struct pool *scratch = stream->reader->scratch;
	int n = stream->claimed.n;
	int argc = 0;
	pool_reset(scratch);
	struct strview *argv = pool_array(scratch, (size_t)n + 7, sizeof(*argv));
	argv[argc++] = SV_LIT("XCLAIM");
	argv[argc++] = sv_from(stream->name);
	argv[argc++] = sv_from(stream->reader->group);
	argv[argc++] = SV_LIT(STREAM_CONSUMER);
	argv[argc++] = SV_LIT("0");
	for (int i = 0; i < n; i++) {
		char *text = pool_alloc(scratch, STREAM_ID_SIZE);
		stream_id_format(stream->claimed.ids[i], text);
		argv[argc++] = sv_from(text);
	}
	if (stream->is_caught_up) {
		/* Entries that were lost on their way to us or to a reader that had left: nobody
		   had them in hand, so this is still their first delivery. */
		argv[argc++] = SV_LIT("RETRYCOUNT");
		argv[argc++] = SV_LIT("1");
	}
	command_sent(stream);
	redis_conn_command(
		stream->reader->read_conn, argc, argv, STREAM_DEADLINE_MS, on_claimed, stream);
}

/* Of the page, note those that are not in hand. */
static void choose_claims(struct stream *stream, const struct redis_reply *page)
{
	stream->claimed.n = 0;
	stream->counts.n = 0;
	for (int i = 0; i < redis_reply_len(page); i++) {
		const struct redis_reply *row =
			redis_reply_at(page, i); /* id, consumer, idle ms, deliveries */
		struct stream_id id;
		if (redis_reply_len(row) != 4 ||
			stream_id_parse(redis_reply_string(redis_reply_at(row, 0)), &id) != 0)
			continue;
		stream->cursor = id;
		if (stream_ids_get(&stream->ids, id) != STREAM_ID_ABSENT)
			continue;
		int64_t count = redis_reply_int(redis_reply_at(row, 3));
		stream_id_list_push(&stream->claimed, id);
		stream_id_list_push(&stream->counts, (struct stream_id){.number = (uint64_t)count});
	}
}

static void on_pending(void *ctx, enum redis_status status, const struct redis_reply *reply)
{
	struct stream *stream = ctx;
	if (!command_answered(stream) || stream->phase != STREAM_CATCH_UP)
		return;
	if (status != REDIS_OK) {
		page_failed(stream, status, reply);
		return;
	}
	stream->is_last_page = redis_reply_len(reply) < stream->page;
	choose_claims(stream, reply);
	if (stream->claimed.n > 0)
		send_claim(stream);
	else
		end_page(stream);
}

void stream_pending_send(struct stream *stream, int count)
{
	struct pool *scratch = stream->reader->scratch;
	char id[STREAM_ID_SIZE];
	pool_reset(scratch);
	stream->page = count;
	stream_id_format(stream->cursor, id);
	struct strview argv[] = {SV_LIT("XPENDING"), sv_from(stream->name),
		sv_from(stream->reader->group), sv_from(pool_printf(scratch, "(%s", id)),
		SV_LIT("+"), sv_from(pool_printf(scratch, "%d", count)), SV_LIT(STREAM_CONSUMER)};
	command_sent(stream);
	redis_conn_command(stream->reader->read_conn, (int)array_len(argv), argv,
		STREAM_DEADLINE_MS, on_pending, stream);
}
