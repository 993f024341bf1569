/* Closes what endpoints that are deleted or disabled are still owed, in batches. What was closed
 * can be replayed. */
#ifndef WA_WEBHOOKER_ENDPOINT_CLOSE_H
#define WA_WEBHOOKER_ENDPOINT_CLOSE_H

#include "services/webhooker/webhooker_store.h"

struct endpoint_close;

struct endpoint_close_options {
	struct loop *loop;
	struct webhooker_store *store;
	/* Fill in the event partitions that are this process's; gives their number. */
	int (*partitions)(void *ctx, int64_t ret_partitions[]);
	void *ctx;
};

struct endpoint_close *endpoint_close_new(const struct endpoint_close_options *options);
void endpoint_close_free(struct endpoint_close **close);
void endpoint_close_want(
	struct endpoint_close *close, int32_t webhook_id); /* any number of times */
int64_t endpoint_close_count(
	const struct endpoint_close *close); /* deliveries closed since the start */

#endif
