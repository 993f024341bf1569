/* What the files of the store share. */
#ifndef WA_WEBHOOKER_WEBHOOKER_STORE_INTERNAL_H
#define WA_WEBHOOKER_WEBHOOKER_STORE_INTERNAL_H

#include "services/webhooker/webhooker_store.h"

enum store_conn { STORE_READ, STORE_WRITE, STORE_SWEEP, STORE_CONNS };

struct store_link {
	struct webhooker_store *store;
	struct pg_conn *conn;
};

struct webhooker_store {
	struct store_link links[STORE_CONNS];
	const char *owner;
	pg_change_fn on_change;
	void *ctx;
	bool was_up;
	struct pool *pool; /* parameters of the statement that is being put together */
	struct pg_params *params;
};

/* Empty parameters, good until the next call. */
struct pg_params *store_params(struct webhooker_store *store);
/* Run the statement with the parameters that store_params() gave last. */
void store_run(struct webhooker_store *store, enum store_conn conn, const struct pg_stmt *stmt,
	pg_done_fn fn, void *ctx);
void *store_array(struct webhooker_store *store, int n, size_t element_bytes); /* for a parameter */

/* The event of that time, within the millisecond that is known of it: finds the day's partition,
 * and no more. */
#define STORE_SAME_TIME(column, time)                                                              \
	column " >= " time " AND " column " < " time " + interval '1 ms'"

/* How long until its next attempt: no longer than its wait was from the start, also when the clock
 * that both were told by has been put back since. NULL: at once. */
#define STORE_DUE_IN_MS(table)                                                                     \
	"(extract(epoch FROM least(" table ".next_attempt_at - now(), " table                      \
	".next_attempt_at - " table ".last_attempt_at)) * 1000)::int8"

/* For rows that are found by their key: said plainly, the planner may take an index of what is open
   for a short cut, and read all of it for each row. */
#define STORE_STILL_OPEN(table) table ".open::int = 1"

#endif
