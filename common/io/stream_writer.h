/*
 * Adds entries to streams: XADD <stream> MAXLEN ~ 65536 * m <payload>. All entries of a loop turn
 * leave in one write. An entry is never the only copy of a fact, so one that cannot be added is
 * counted and dropped. Readers are told that something is missing, as soon as Redis can be reached:
 * the generation key is deleted (STREAM_GENERATION_KEY), whereupon they read from Postgres what they
 * own. That is said with backoff, 8 s at most apart, however many entries are dropped.
 */
#ifndef WA_IO_STREAM_WRITER_H
#define WA_IO_STREAM_WRITER_H

#include "common/base/strview.h"
#include "common/io/loop.h"
#include "common/io/redis_conn.h"

#define STREAM_MAX_ENTRIES 65536

struct stream_writer;

struct stream_writer *stream_writer_new(
	struct loop *loop, struct redis_conn *conn); /* borrowed, must outlive it */
void stream_writer_free(struct stream_writer **writer);
void stream_writer_add(struct stream_writer *writer, const char *stream, struct strview payload);
/* Since the start: confirmed by Redis; and refused, late, or without a connection. */
int64_t stream_writer_added(const struct stream_writer *writer);
int64_t stream_writer_dropped(const struct stream_writer *writer);

#endif
