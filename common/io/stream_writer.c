#include "common/io/stream_writer.h"

#include "common/base/mem.h"

#define ADD_DEADLINE_MS 3000
#define TEXT(number)    TEXT_OF(number)
#define TEXT_OF(number) #number

struct stream_writer {
	struct redis_conn *conn;
	int64_t added;
	int64_t dropped;
};

struct stream_writer *stream_writer_new(struct redis_conn *conn)
{
	struct stream_writer *writer = mem_new(struct stream_writer);
	writer->conn = conn;
	return writer;
}

void stream_writer_free(struct stream_writer **writer)
{
	if (*writer == NULL)
		return;
	redis_conn_forget((*writer)->conn, *writer);
	mem_free(*writer);
	*writer = NULL;
}

static void on_added(void *ctx, enum redis_status status, const struct redis_reply *reply)
{
	struct stream_writer *writer = ctx;
	(void)reply;
	if (status == REDIS_OK)
		writer->added++;
	else
		writer->dropped++;
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
