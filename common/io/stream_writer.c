#include "common/io/stream_writer.h"

#include "common/base/attr.h"
#include "common/base/backoff.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/model/stream_codec.h"

#define ADD_DEADLINE_MS 3000
#define TELL_FIRST_MS   200
#define TELL_MAX_MS     8000  /* by then the readers' sweeps have found what is missing */
#define CALM_MS         10000 /* without a loss: the next one is told of at once again */
#define TEXT(number)    TEXT_OF(number)
#define TEXT_OF(number) #number

struct stream_writer {
	struct redis_conn *conn;
	struct loop_timer *tell; /* armed while there are losses that the readers do not know of */
	struct backoff backoff;
	int64_t lost_ms; /* when the last was dropped */
	int64_t added;
	int64_t dropped;
};

static void on_tell(void *ctx);

struct stream_writer *stream_writer_new(struct loop *loop, struct redis_conn *conn)
{
	struct stream_writer *writer = mem_new(struct stream_writer);
	writer->conn = conn;
	writer->tell = loop_timer_new(loop, "stream_writer", on_tell, writer);
	backoff_init(&writer->backoff, TELL_FIRST_MS, TELL_MAX_MS);
	return writer;
}

void stream_writer_free(struct stream_writer **writer)
{
	if (*writer == NULL)
		return;
	redis_conn_forget((*writer)->conn, *writer);
	loop_timer_free(&(*writer)->tell);
	mem_free(*writer);
	*writer = NULL;
}

static void tell_later(struct stream_writer *writer)
{
	loop_timer_arm(writer->tell, backoff_fail_ms(&writer->backoff));
}

static void on_told(void *ctx, enum redis_status status, const struct redis_reply *reply)
{
	struct stream_writer *writer = ctx;
	(void)reply;
	if (status != REDIS_OK && !loop_timer_is_armed(writer->tell))
		tell_later(writer);
}

static void on_tell(void *ctx)
{
	struct stream_writer *writer = ctx;
	struct strview argv[] = {SV_LIT("DEL"), SV_LIT(STREAM_GENERATION_KEY)};
	if (!redis_conn_is_up(writer->conn)) {
		loop_timer_arm(writer->tell, TELL_FIRST_MS);
		return;
	}
	redis_conn_command(
		writer->conn, (int)array_len(argv), argv, ADD_DEADLINE_MS, on_told, writer);
}

static void note_lost(struct stream_writer *writer)
{
	int64_t now_ms = clock_mono_ms();
	writer->dropped++;
	if (now_ms - writer->lost_ms > CALM_MS)
		backoff_succeed(&writer->backoff);
	writer->lost_ms = now_ms;
	if (!loop_timer_is_armed(writer->tell))
		tell_later(writer);
}

static void on_added(void *ctx, enum redis_status status, const struct redis_reply *reply)
{
	struct stream_writer *writer = ctx;
	(void)reply;
	if (status == REDIS_OK)
		writer->added++;
	else
		note_lost(writer);
}

void stream_writer_add(struct stream_writer *writer, const char *stream, struct strview payload)
{
	struct strview argv[] = {SV_LIT("XADD"), sv_from(stream), SV_LIT("MAXLEN"), SV_LIT("~"),
		SV_LIT(TEXT(STREAM_MAX_ENTRIES)), SV_LIT("*"), SV_LIT("m"), payload};
	redis_conn_command(
		writer->conn, (int)array_len(argv), argv, ADD_DEADLINE_MS, on_added, writer);
}

int64_t stream_writer_added(const struct stream_writer *writer)
{
	return writer->added;
}

int64_t stream_writer_dropped(const struct stream_writer *writer)
{
	return writer->dropped;
}
