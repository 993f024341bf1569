#include "common/io/stream_reader.h"

#include <string.h>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/io/stream_internal.h"

#define DEFAULT_BATCH       256
#define DEFAULT_MAX_UNACKED 4096

/* --- the set of streams --- */

static struct stream **bucket_of(struct stream_reader *reader, const char *name)
{
	return &reader->buckets[sv_hash(sv_from(name)) % STREAM_N_BUCKETS];
}

struct stream *stream_find(const struct stream_reader *reader, const char *name)
{
	struct stream *stream = reader->buckets[sv_hash(sv_from(name)) % STREAM_N_BUCKETS];
	while (stream != NULL && strcmp(stream->name, name) != 0)
		stream = stream->next_in_bucket;
	return stream;
}

void stream_set_phase(struct stream *stream, enum stream_phase phase)
{
	enum stream_phase from = stream->phase;
	switch (phase) {
	case STREAM_REMOVED:
	case STREAM_UNSURE:
		break;
	case STREAM_CATCH_UP:
		ASSERT(from == STREAM_UNSURE || from == STREAM_LIVE);
		break;
	case STREAM_LIVE:
		ASSERT(from == STREAM_CATCH_UP);
		break;
	}
	stream->phase = phase;
}

void stream_doubt(struct stream *stream, int64_t delay_ms)
{
	if (stream->phase == STREAM_REMOVED)
		return;
	stream_set_phase(stream, STREAM_UNSURE);
	stream->retry_ms = clock_mono_ms() + delay_ms;
	loop_turn_request(stream->reader->turn);
}

void stream_forget_in_hand(struct stream *stream)
{
	stream_ids_remove_marked(&stream->ids, STREAM_ID_IN_HAND);
	stream->reader->n_unacked -= stream->n_in_hand;
	stream->n_in_hand = 0;
}

static struct stream *stream_new(struct stream_reader *reader, const char *name)
{
	struct stream *stream = mem_new(struct stream);
	struct stream **bucket = bucket_of(reader, name);
	stream->reader = reader;
	stream->name = mem_strdup(name);
	stream->next = reader->streams;
	reader->streams = stream;
	stream->next_in_bucket = *bucket;
	*bucket = stream;
	return stream;
}

static void stream_free(struct stream *stream)
{
	stream_ids_deinit(&stream->ids);
	stream_id_list_deinit(&stream->claimed);
	stream_id_list_deinit(&stream->counts);
	stream_id_list_deinit(&stream->acks);
	stream_id_list_deinit(&stream->acking);
	mem_free(stream->name);
	mem_free(stream);
}

static bool is_through(const struct stream *stream)
{
	return stream->phase == STREAM_REMOVED && stream->n_commands == 0 && stream->acks.n == 0 &&
	       stream->acking.n == 0;
}

/* Free the removed streams that nothing refers to any more. */
static void reap(struct stream_reader *reader)
{
	if (reader->n_reading > 0)
		return;
	for (struct stream **at = &reader->streams; *at != NULL;) {
		struct stream *stream = *at;
		if (!is_through(stream)) {
			at = &stream->next;
			continue;
		}
		struct stream **in_bucket = bucket_of(reader, stream->name);
		while (*in_bucket != stream)
			in_bucket = &(*in_bucket)->next_in_bucket;
		*in_bucket = stream->next_in_bucket;
		*at = stream->next;
		stream_free(stream);
	}
}

void stream_reader_add(struct stream_reader *reader, const char *name, int tag)
{
	struct stream *stream = stream_find(reader, name);
	if (stream == NULL)
		stream = stream_new(reader, name);
	else if (stream->phase != STREAM_REMOVED)
		return;
	stream->tag = tag;
	stream->generation++;
	stream->has_group = false;
	stream->is_caught_up = false;
	stream_set_phase(stream, STREAM_UNSURE);
	stream->retry_ms = 0;
	loop_turn_request(reader->turn);
}

void stream_reader_remove(struct stream_reader *reader, const char *name)
{
	struct stream *stream = stream_find(reader, name);
	if (stream == NULL || stream->phase == STREAM_REMOVED)
		return;
	stream_set_phase(stream, STREAM_REMOVED);
	stream_forget_in_hand(stream);
	loop_turn_request(reader->turn);
}

/* --- what is read when --- */

static int share(int room, int n, int most)
{
	int count = n > 0 ? room / n : 0;
	return count < 1 ? 1 : count > most ? most : count;
}

static int count_in_phase(const struct stream_reader *reader, enum stream_phase phase)
{
	int n = 0;
	for (const struct stream *stream = reader->streams; stream != NULL; stream = stream->next)
		n += stream->phase == phase;
	return n;
}

static void send_groups(struct stream_reader *reader, int64_t now_ms)
{
	for (struct stream *stream = reader->streams; stream != NULL; stream = stream->next) {
		if (stream->phase == STREAM_UNSURE && stream->retry_ms <= now_ms &&
			stream->n_commands == 0)
			stream_group_send(stream);
	}
}

static void begin_late_passes(struct stream_reader *reader, int64_t now_ms)
{
	for (struct stream *stream = reader->streams; stream != NULL; stream = stream->next) {
		if (stream->phase != STREAM_LIVE || stream->late_pass_ms == 0 ||
			stream->late_pass_ms > now_ms)
			continue;
		stream->is_late_pass = true;
		stream->cursor = (struct stream_id){0, 0};
		stream_set_phase(stream, STREAM_CATCH_UP);
	}
}

static void send_pages(struct stream_reader *reader, int room)
{
	int count = share(room, count_in_phase(reader, STREAM_CATCH_UP), reader->options.batch);
	for (struct stream *stream = reader->streams; stream != NULL; stream = stream->next) {
		if (stream->phase == STREAM_CATCH_UP && stream->n_commands == 0)
			stream_pending_send(stream, count);
	}
}

/*
 * One wave of commands at a time: groups to be made, pages of streams that catch up, and what is
 * new of the others. The wave waits inside Redis for new entries only when there was nothing else
 * to do. When all of it is answered the next one goes out.
 */
static void on_turn(void *ctx)
{
	struct stream_reader *reader = ctx;
	int64_t now_ms = clock_mono_ms();
	reap(reader);
	if (reader->n_commands > 0 || !redis_conn_is_up(reader->read_conn))
		return;
	send_groups(reader, now_ms);
	int room = reader->options.max_unacked - reader->n_unacked;
	if (!reader->is_paused && room > 0) {
		begin_late_passes(reader, now_ms);
		send_pages(reader, room);
		int count = share(room, count_in_phase(reader, STREAM_LIVE), reader->options.batch);
		(void)stream_read_send(reader, count, reader->n_commands == 0);
	}
	if (reader->n_commands == 0 && reader->streams != NULL)
		loop_timer_arm(reader->timer, STREAM_MAX_BLOCK_MS);
}

static void on_timer(void *ctx)
{
	struct stream_reader *reader = ctx;
	loop_turn_request(reader->turn);
}

static void on_ack_timer(void *ctx)
{
	struct stream_reader *reader = ctx;
	loop_turn_request(reader->ack_turn);
}

/* --- connections --- */

static void tell_change(struct stream_reader *reader, bool up, const struct err *err)
{
	if (up != stream_reader_is_up(reader) || (reader->was_told && reader->told_up == up))
		return;
	reader->was_told = true;
	reader->told_up = up;
	if (reader->events.on_change != NULL)
		reader->events.on_change(reader->ctx, up, err); /* may free the reader */
}

static void on_read_conn_change(void *ctx, bool up, const struct err *err)
{
	struct stream_reader *reader = ctx;
	if (!up) {
		/* What Redis had sent may be lost on the way, and Redis may come back empty. */
		for (struct stream *stream = reader->streams; stream != NULL; stream = stream->next)
			stream_doubt(stream, 0);
	}
	loop_turn_request(reader->turn);
	tell_change(reader, up, err);
}

static void on_ack_conn_change(void *ctx, bool up, const struct err *err)
{
	struct stream_reader *reader = ctx;
	loop_turn_request(reader->ack_turn);
	tell_change(reader, up, err);
}

/* --- the contract --- */

struct stream_reader *stream_reader_new(struct loop *loop,
	const struct stream_reader_options *options, const struct stream_reader_events *events,
	void *ctx, struct err *err)
{
	struct stream_reader *reader = mem_new(struct stream_reader);
	reader->options = *options;
	reader->options.redis_url = NULL;
	if (reader->options.batch == 0)
		reader->options.batch = DEFAULT_BATCH;
	if (reader->options.max_unacked == 0)
		reader->options.max_unacked = DEFAULT_MAX_UNACKED;
	if (reader->options.block_ms == 0 || reader->options.block_ms > STREAM_MAX_BLOCK_MS)
		reader->options.block_ms = STREAM_MAX_BLOCK_MS;
	reader->loop = loop;
	reader->group = mem_strdup(options->group);
	reader->events = *events;
	reader->ctx = ctx;
	reader->scratch = pool_new();
	reader->turn = loop_turn_new(loop, "stream_reader", on_turn, reader);
	reader->timer = loop_timer_new(loop, "stream_reader", on_timer, reader);
	reader->ack_turn = loop_turn_new(loop, "stream_ack", stream_ack_on_turn, reader);
	reader->ack_timer = loop_timer_new(loop, "stream_ack", on_ack_timer, reader);
	reader->read_conn =
		redis_conn_new(loop, options->redis_url, on_read_conn_change, reader, err);
	if (reader->read_conn != NULL)
		reader->ack_conn =
			redis_conn_new(loop, options->redis_url, on_ack_conn_change, reader, err);
	if (reader->ack_conn == NULL)
		stream_reader_free(&reader);
	return reader;
}

void stream_reader_free(struct stream_reader **reader)
{
	struct stream_reader *old = *reader;
	if (old == NULL)
		return;
	*reader = NULL;
	if (old->is_freed != NULL)
		*old->is_freed = true;
	redis_conn_free(&old->read_conn);
	redis_conn_free(&old->ack_conn);
	loop_turn_free(&old->turn);
	loop_timer_free(&old->timer);
	loop_turn_free(&old->ack_turn);
	loop_timer_free(&old->ack_timer);
	while (old->streams != NULL) {
		struct stream *stream = old->streams;
		old->streams = stream->next;
		stream_free(stream);
	}
	pool_free(&old->scratch);
	mem_free(old->reading);
	mem_free(old->group);
	mem_free(old);
}

void stream_reader_ack(struct stream_reader *reader, const char *name, const char *id_text)
{
	struct stream *stream = stream_find(reader, name);
	struct stream_id id;
	ASSERT(stream_id_parse(sv_from(id_text), &id) == 0);
	if (stream != NULL && stream_ids_get(&stream->ids, id) == STREAM_ID_IN_HAND)
		stream_ack_push(stream, id);
}

void stream_reader_pause(struct stream_reader *reader, bool paused)
{
	reader->is_paused = paused;
	loop_turn_request(reader->turn);
}

bool stream_reader_is_up(const struct stream_reader *reader)
{
	return redis_conn_is_up(reader->read_conn) && redis_conn_is_up(reader->ack_conn);
}

bool stream_reader_is_caught_up(const struct stream_reader *reader, const char *name)
{
	const struct stream *stream = stream_find(reader, name);
	return stream != NULL && stream->phase != STREAM_REMOVED && stream->is_caught_up;
}

int stream_reader_unacked(const struct stream_reader *reader)
{
	return reader->n_unacked;
}
