/* One list in the order of deadlines (all but the ones tried alone have the same timeout), one
 * table, one timer. */
#include "services/gateway/in_flight.h"

#include <string.h>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/mem.h"

TAILQ_HEAD(attempts, attempt);

struct in_flight {
	struct attempts attempts; /* by due_ms */
	struct keyed *by_wa;
	int64_t timeout_ms;
	in_flight_fn on_late;
	void *ctx;
	struct loop_timer *timer;
};

static void arm(struct in_flight *in_flight)
{
	const struct attempt *first = TAILQ_FIRST(&in_flight->attempts);
	if (first == NULL) {
		loop_timer_disarm(in_flight->timer);
		return;
	}
	int64_t wait_ms = first->due_ms - clock_mono_ms();
	loop_timer_arm(in_flight->timer, wait_ms > 0 ? wait_ms : 0);
}

static void on_timer(void *ctx)
{
	struct in_flight *in_flight = ctx;
	int64_t now_ms = clock_mono_ms();
	struct attempt *first;
	while ((first = TAILQ_FIRST(&in_flight->attempts)) != NULL && first->due_ms <= now_ms)
		in_flight->on_late(in_flight->ctx, first);
	arm(in_flight);
}

struct in_flight *in_flight_new(
	struct loop *loop, int64_t timeout_ms, in_flight_fn on_late, void *ctx)
{
	struct in_flight *in_flight = mem_new(struct in_flight);
	TAILQ_INIT(&in_flight->attempts);
	in_flight->by_wa = keyed_new();
	in_flight->timeout_ms = timeout_ms;
	in_flight->on_late = on_late;
	in_flight->ctx = ctx;
	in_flight->timer = loop_timer_new(loop, "in_flight", on_timer, in_flight);
	return in_flight;
}

void in_flight_free(struct in_flight **in_flight)
{
	if (*in_flight == NULL)
		return;
	struct attempt *attempt;
	while ((attempt = TAILQ_FIRST(&(*in_flight)->attempts)) != NULL)
		in_flight_end(*in_flight, attempt);
	keyed_free(&(*in_flight)->by_wa);
	loop_timer_free(&(*in_flight)->timer);
	mem_free(*in_flight);
	*in_flight = NULL;
}

/* From the end, for that is where nearly all belong. */
static void insert_by_due(struct in_flight *in_flight, struct attempt *attempt)
{
	struct attempt *before = TAILQ_LAST(&in_flight->attempts, attempts);
	while (before != NULL && before->due_ms > attempt->due_ms)
		before = TAILQ_PREV(before, attempts, link);
	if (before == NULL)
		TAILQ_INSERT_HEAD(&in_flight->attempts, attempt, link);
	else
		TAILQ_INSERT_AFTER(&in_flight->attempts, before, attempt, link);
}

static struct strview put(char **at, struct strview text)
{
	struct strview copy = sv_make(*at, text.len);
	memcpy(*at, text.ptr, text.len);
	*at += text.len;
	return copy;
}

static struct attempt *attempt_new(
	const struct claimed *claimed, int64_t session_epoch, struct strview *ret_wa_message_id)
{
	struct attempt *attempt = mem_zalloc(sizeof(*attempt) + claimed->wa_message_id.len +
					     claimed->message_id.len + claimed->phone.len);
	char *at = (char *)(attempt + 1);
	*ret_wa_message_id = put(&at, claimed->wa_message_id);
	attempt->message_id = put(&at, claimed->message_id);
	attempt->phone = put(&at, claimed->phone);
	attempt->session_epoch = session_epoch;
	attempt->partition = claimed->partition;
	attempt->queue_seq = claimed->queue_seq;
	attempt->attempts = claimed->attempts;
	attempt->ever_unknown = claimed->ever_unknown;
	attempt->alone = claimed->alone;
	attempt->started_ms = clock_mono_ms();
	return attempt;
}

void in_flight_add(
	struct in_flight *in_flight, const struct claimed *claimed, int64_t session_epoch)
{
	struct attempt *same =
		in_flight_find(in_flight, claimed->session_id, claimed->wa_message_id);
	if (same != NULL)
		in_flight_end(in_flight, same); /* the new claim has made it history */
	struct strview wa_message_id;
	struct attempt *attempt = attempt_new(claimed, session_epoch, &wa_message_id);
	int64_t timeout_ms = in_flight->timeout_ms;
	if (attempt->alone && timeout_ms > IN_FLIGHT_ALONE_TIMEOUT_MS)
		timeout_ms = IN_FLIGHT_ALONE_TIMEOUT_MS;
	attempt->due_ms = attempt->started_ms + timeout_ms;
	insert_by_due(in_flight, attempt);
	keyed_insert(in_flight->by_wa, &attempt->node, claimed->session_id, wa_message_id);
	if (TAILQ_FIRST(&in_flight->attempts) == attempt)
		arm(in_flight);
}

struct attempt *in_flight_find(
	const struct in_flight *in_flight, int32_t session_id, struct strview wa_message_id)
{
	struct keyed_node *node = keyed_find(in_flight->by_wa, session_id, wa_message_id);
	return node != NULL ? container_of(node, struct attempt, node) : NULL;
}

/* The timer is left as it is: it finds out by itself when it comes too early. */
void in_flight_end(struct in_flight *in_flight, struct attempt *attempt)
{
	TAILQ_REMOVE(&in_flight->attempts, attempt, link);
	keyed_remove(in_flight->by_wa, &attempt->node);
	mem_free(attempt);
}

int in_flight_count(const struct in_flight *in_flight)
{
	return keyed_count(in_flight->by_wa);
}

int in_flight_count_of(const struct in_flight *in_flight, int32_t session_id)
{
	int n = 0;
	const struct attempt *attempt;
	TAILQ_FOREACH(attempt, &in_flight->attempts, link)
	{
		n += attempt->node.scope == session_id;
	}
	return n;
}

void in_flight_each_of(struct in_flight *in_flight, int32_t session_id, in_flight_fn fn, void *ctx)
{
	struct attempt *next;
	for (struct attempt *attempt = TAILQ_FIRST(&in_flight->attempts); attempt != NULL;
		attempt = next) {
		next = TAILQ_NEXT(attempt, link);
		if (attempt->node.scope == session_id)
			fn(ctx, attempt);
	}
}
