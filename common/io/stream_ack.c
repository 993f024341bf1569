/*
 * Acknowledges what the service is done with: XACK and XDEL of all streams in one MULTI. One
 * transaction is out at a time; what comes meanwhile goes into the next. What was not confirmed is
 * sent again.
 */
#include "common/base/check.h"
#include "common/io/stream_internal.h"

void stream_ack_push(struct stream *stream, struct stream_id id)
{
	enum stream_id_mark before = stream_ids_set(&stream->ids, id, STREAM_ID_ACKED);
	if (before == STREAM_ID_ACKED)
		return;
	if (before == STREAM_ID_IN_HAND) {
		stream->n_in_hand--;
		stream->reader->n_unacked--;
	}
	stream_id_list_push(&stream->acks, id);
	loop_turn_request(stream->reader->ack_turn);
}

static void on_acked(void *ctx, enum redis_status status, const struct redis_reply *reply)
{
	struct stream_reader *reader = ctx;
	bool is_done = status == REDIS_OK && redis_reply_kind(reply) == REDIS_ARRAY;
	reader->is_acking = false;
	for (struct stream *stream = reader->streams; stream != NULL; stream = stream->next) {
		for (int i = 0; is_done && i < stream->acking.n; i++)
			(void)stream_ids_set(&stream->ids, stream->acking.ids[i], STREAM_ID_ABSENT);
		if (is_done)
			stream->acking.n = 0;
		else
			stream_id_list_move(&stream->acks, &stream->acking);
	}
	loop_turn_request(reader->turn); /* there may be room again, or a removed stream to free */
	if (is_done)
		loop_turn_request(reader->ack_turn);
	else
		loop_timer_arm(reader->ack_timer, STREAM_MAX_BLOCK_MS);
}

/* XACK <stream> <group> <id>… and XDEL <stream> <id>… */
static void send_stream(struct stream *stream)
{
	struct pool *scratch = stream->reader->scratch;
	int n = stream->acking.n;
	pool_reset(scratch);
	struct strview *argv = pool_array(scratch, (size_t)n + 3, sizeof(*argv));
	for (int i = 0; i < n; i++) {
		char *text = pool_alloc(scratch, STREAM_ID_SIZE);
		stream_id_format(stream->acking.ids[i], text);
		argv[3 + i] = sv_from(text);
	}
	argv[0] = SV_LIT("XACK");
	argv[1] = sv_from(stream->name);
	argv[2] = sv_from(stream->reader->group);
	redis_conn_command(stream->reader->ack_conn, n + 3, argv, STREAM_DEADLINE_MS, NULL, NULL);
	argv[1] = SV_LIT("XDEL");
	argv[2] = sv_from(stream->name);
	redis_conn_command(
		stream->reader->ack_conn, n + 2, argv + 1, STREAM_DEADLINE_MS, NULL, NULL);
}

void stream_ack_on_turn(void *ctx)
{
	struct stream_reader *reader = ctx;
	struct strview multi = SV_LIT("MULTI");
	struct strview exec = SV_LIT("EXEC");
	if (reader->is_acking || !redis_conn_is_up(reader->ack_conn))
		return;
	for (struct stream *stream = reader->streams; stream != NULL; stream = stream->next) {
		if (stream->acks.n == 0)
			continue;
		if (!reader->is_acking)
			redis_conn_command(
				reader->ack_conn, 1, &multi, STREAM_DEADLINE_MS, NULL, NULL);
		reader->is_acking = true;
		ASSERT(stream->acking.n == 0);
		stream_id_list_move(&stream->acking, &stream->acks);
		send_stream(stream);
	}
	if (reader->is_acking)
		redis_conn_command(
			reader->ack_conn, 1, &exec, STREAM_DEADLINE_MS, on_acked, reader);
}
