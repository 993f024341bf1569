/* Attempts that were handed to an engine and have not ended: each has one deadline, after which its
 * outcome is unknown. */
#ifndef WA_GATEWAY_IN_FLIGHT_H
#define WA_GATEWAY_IN_FLIGHT_H

#include <sys/queue.h>

#include "common/io/loop.h"
#include "services/gateway/claim_entry.h"
#include "services/gateway/keyed.h"

#define IN_FLIGHT_ALONE_TIMEOUT_MS 3000 /* everything else waits for one that is tried alone */

struct in_flight;

struct attempt {
	TAILQ_ENTRY(attempt) link;
	struct keyed_node node; /* scope: session id, key: WhatsApp message id */
	int64_t session_epoch;
	int64_t started_ms; /* monotonic */
	int64_t due_ms;
	int attempts; /* this one included */
	bool ever_unknown;
	bool alone;
	int partition;
	int64_t queue_seq;
	struct strview message_id;
	struct strview phone;
};

/* on_late is called for an attempt past its deadline; it must end it. */
typedef void (*in_flight_fn)(void *ctx, struct attempt *attempt);

struct in_flight *in_flight_new(
	struct loop *loop, int64_t timeout_ms, in_flight_fn on_late, void *ctx);
void in_flight_free(struct in_flight **in_flight);
void in_flight_add(
	struct in_flight *in_flight, const struct claimed *claimed, int64_t session_epoch);
struct attempt *in_flight_find(const struct in_flight *in_flight, int32_t session_id,
	struct strview wa_message_id);                                    /* or NULL */
void in_flight_end(struct in_flight *in_flight, struct attempt *attempt); /* frees it */
int in_flight_count(const struct in_flight *in_flight);
int in_flight_count_of(const struct in_flight *in_flight, int32_t session_id);
/* fn for each attempt of a session; it may end that attempt. */
void in_flight_each_of(struct in_flight *in_flight, int32_t session_id, in_flight_fn fn, void *ctx);

#endif
