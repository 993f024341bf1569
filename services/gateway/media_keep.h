/*
 * Keeps media files by their hash, in Postgres or in the object store that the settings name.
 * There, in this order: the object's name is committed as loose, the object is put, the row that
 * names it is committed. So a row never names an object that is not there, and an object that
 * nothing came of is known and deleted. While the store or Postgres is away, a file waits and is
 * tried again with backoff.
 */
#ifndef WA_GATEWAY_MEDIA_KEEP_H
#define WA_GATEWAY_MEDIA_KEEP_H

#include "common/daemon/media_store.h"
#include "common/io/pg_conn.h"
#include "services/gateway/gateway_stats.h"

struct media_keeper;
struct media_keep;

/* conn is borrowed. failures counts what the store did not do. NULL with err on a bad setting. */
struct media_keeper *media_keeper_new(struct loop *loop, struct pg_conn *conn,
	const struct settings *settings, struct metric *failures, struct err *err);
/* All that was begun must have ended or been cancelled. */
void media_keeper_free(struct media_keeper **keeper);
/* To read what lies there; NULL: no store is named. */
struct object_store *media_keeper_objects(const struct media_keeper *keeper);

struct media_file_kept {
	struct strview message_id; /* who wants it; SV_NULL: whoever refers to its hash */
	struct strview sha256;
	struct strview content_type;
	struct strview bytes; /* copied, if they are needed for longer */
	int64_t wait_ms;      /* for the object store, at most; 0: as long as it takes */
};

enum media_keep_end {
	MEDIA_KEEP_DONE,
	MEDIA_KEEP_LATER, /* not now: give the file again. From the object store only with wait_ms
			   */
	MEDIA_KEEP_NEVER, /* Postgres refuses it: err tells */
};
/* The keep is gone when fn returns. Never called before media_keep_start() returns. */
typedef void (*media_keep_fn)(void *ctx, enum media_keep_end end, const struct err *err);

struct media_keep *media_keep_start(struct media_keeper *keeper, const struct media_file_kept *file,
	media_keep_fn fn, void *ctx);
void media_keep_cancel(struct media_keep **keep); /* fn is not called */

#endif
