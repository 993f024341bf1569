/*
 * Adds entries to streams: XADD <stream> MAXLEN ~ 65536 * m <payload>. All entries of a loop turn
 * leave in one write. An entry is never the only copy of a fact, so one that cannot be added is
 * counted and dropped; the reader's sweep finds its row.
 */
#ifndef WA_IO_STREAM_WRITER_H
#define WA_IO_STREAM_WRITER_H

#include "common/base/strview.h"
#include "common/io/redis_conn.h"

#define STREAM_MAX_ENTRIES 65536

struct stream_writer;

struct stream_writer *stream_writer_new(
	struct redis_conn *conn); /* conn is borrowed and must outlive it */
void stream_writer_free(struct stream_writer **writer);
void stream_writer_add(struct stream_writer *writer, const char *stream, struct strview payload);
/* Since the start: confirmed by Redis; and refused, late, or without a connection. */
int64_t stream_writer_added(const struct stream_writer *writer);
int64_t stream_writer_dropped(const struct stream_writer *writer);

#endif
