/*
 * Reads streams as the only consumer of a group (XREADGROUP, consumer name "owner"), on a
 * connection of its own; acknowledges on a second one. Who owns a stream is settled by leases in
 * Postgres, so one fixed consumer name is enough: a new owner first takes what the last one had not
 * acknowledged, then goes on with what is new. Half a second later it looks once more for what was
 * sent to the last owner just as that one left.
 *
 * The reader copes by itself with: a missing group (created again, on_reset is called: entries may
 * be lost, reread Postgres), a lost connection (what was lost on the way is fetched again, what is
 * in hand is not handed out twice, acknowledgements are repeated), entries trimmed away under the
 * group, and entries whose only field is not "m" (acknowledged and counted). It stops reading while
 * max_unacked or more entries are handed out and not acknowledged; a read that is under way then
 * may still bring some.
 *
 * Callbacks come from the loop; any of them may call any function of the reader,
 * stream_reader_free() too.
 */
#ifndef WA_IO_STREAM_READER_H
#define WA_IO_STREAM_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/strview.h"
#include "common/io/redis_conn.h"

struct stream_reader;

struct stream_entry {
	const char *stream;     /* lives while the stream is being read */
	int tag;                /* what was given with the stream */
	const char *id;         /* e.g. "1700000000000-0"; valid until the callback returns */
	/* Of its one field "m"; empty when the entry is of another shape. Valid until the
	   callback returns. */
	struct strview payload;
	int deliveries; /* 1 when it is new; more when earlier owners had it and did not acknowledge
			   (they may have died of it) */
};

struct stream_reader_events {
	void (*on_entry)(void *ctx, const struct stream_entry *entry);
	void (*on_batch_end)(void *ctx); /* after all entries of one read; may be NULL */
	/* the stream was lost; may be NULL */
	void (*on_reset)(void *ctx, const char *stream, int tag);
	void (*on_change)(void *ctx, bool up, const struct err *err); /* connection; may be NULL */
};

struct stream_reader_options {
	const char *redis_url;
	const char *group; /* the service's name */
	int batch;         /* entries per stream and read; 0 = 256 */
	int max_unacked;   /* 0 = 4096 */
	int64_t block_ms;  /* how long Redis waits for entries; 0 = 250, which is also the most */
};

struct stream_reader *stream_reader_new(struct loop *loop,
	const struct stream_reader_options *options, const struct stream_reader_events *events,
	void *ctx, struct err *err);
void stream_reader_free(struct stream_reader **reader);
/* Begin or end reading a stream. A stream added twice is read once. Entries of a removed stream
   that come late are dropped unacknowledged (the next owner gets them). */
void stream_reader_add(struct stream_reader *reader, const char *stream, int tag);
void stream_reader_remove(struct stream_reader *reader, const char *stream);
/* Done with an entry: XACK and XDEL in one MULTI, batched by loop turn, repeated until Redis has
   confirmed it. Nothing happens when the entry is not in hand any more: its stream was removed or
   lost. */
void stream_reader_ack(struct stream_reader *reader, const char *stream, const char *id);
/* Paused, it asks for nothing; a read that is under way may still bring entries. */
void stream_reader_pause(struct stream_reader *reader, bool paused);
bool stream_reader_is_up(const struct stream_reader *reader);
/* True once the entries an earlier owner left on this stream have all been handed out. */
bool stream_reader_is_caught_up(const struct stream_reader *reader, const char *stream);
/* Entries handed out and not acknowledged. */
int stream_reader_unacked(const struct stream_reader *reader);

#endif
