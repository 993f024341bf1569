/* Where media files lie, as the settings say: WA_MEDIA_STORE and WA_S3_…. */
#ifndef WA_DAEMON_MEDIA_STORE_H
#define WA_DAEMON_MEDIA_STORE_H

#include <stdbool.h>

#include "common/base/attr.h"
#include "common/daemon/settings.h"
#include "common/io/object_store.h"

struct media_store {
	/* NULL: no store is named. Without is_wanted files that lie there are still read. */
	struct object_store *objects;
	bool is_wanted; /* new files go there; else to Postgres */
};

/* 0, or -1 with err when the settings make no sense together. */
int media_store_open(struct media_store *store, struct loop *loop, const struct settings *settings,
	struct err *err) MUST_CHECK;
void media_store_close(struct media_store *store);

#endif
