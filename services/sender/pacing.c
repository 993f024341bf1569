/* Batches of questions, and the script that answers them. */
#include "services/sender/pacing.h"

#include <stdio.h>
#include <sys/queue.h>

#include "common/base/attr.h"
#include "common/base/backoff.h"
#include "common/base/check.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/pool.h"

#define BATCH_MAX   256
#define DEADLINE_MS 1000
/* Longest tolerance: numbers in Lua are exact up to 2^53, which is 285 years of us. */
#define TOLERANCE_MAX_US (30 * 24 * 3600 * INT64_C(1000000))

/*
 * ARGV: how many messages; for each: how many limits; for each: interval and tolerance in us. KEYS:
 * one a limit, in the same order. Gives for each message: ms to wait (0: allowed and charged), and
 * which of its limits says so. A stored time further ahead than the limit itself can bring about
 * comes from a clock that has stepped back: it is clamped.
 */
static const char script_source[] =
	"local t = redis.call('TIME')\n"
	"local now = t[1] * 1000000 + t[2]\n"
	"local out, k, a = {}, 1, 2\n"
	"for m = 1, tonumber(ARGV[1]) do\n"
	"  local n = tonumber(ARGV[a])\n"
	"  a = a + 1\n"
	"  local wait, which, tats = 0, 0, {}\n"
	"  for i = 1, n do\n"
	"    local interval, tolerance = tonumber(ARGV[a]), tonumber(ARGV[a + 1])\n"
	"    a = a + 2\n"
	"    local tat = tonumber(redis.call('GET', KEYS[k + i - 1]) or '0') or 0\n"
	"    if tat < now then tat = now end\n"
	"    if tat > now + tolerance + interval then tat = now + tolerance + interval end\n"
	"    tats[i] = tat + interval\n"
	"    if tat - tolerance - now > wait then wait, which = tat - tolerance - now, i end\n"
	"  end\n"
	"  if wait == 0 then\n"
	"    for i = 1, n do\n"
	"      local ttl = math.ceil((tats[i] - now) / 1000)\n"
	"      redis.call('SET', KEYS[k + i - 1], string.format('%.0f', tats[i]), 'PX', "
	"string.format('%.0f', ttl))\n"
	"    end\n"
	"  end\n"
	"  k = k + n\n"
	"  out[2 * m - 1] = math.ceil(wait / 1000)\n"
	"  out[2 * m] = which\n"
	"end\n"
	"return out\n";

TAILQ_HEAD(pacing_batch_list, pacing_batch);

struct pacing_question {
	struct conversation *conversation;
	enum held_reason reasons[3]; /* of its limits, in the order of the script's keys */
};

struct pacing_batch {
	TAILQ_ENTRY(pacing_batch) in_flight;
	struct pacing *pacing;
	struct pool *pool; /* of keys and arguments */
	int n;
	int n_keys;
	int n_args;
	struct pacing_question questions[BATCH_MAX];
	struct strview keys[3 * BATCH_MAX];
	struct strview args[1 + 7 * BATCH_MAX];
};

struct pacing {
	struct redis_conn *redis;
	struct pacing_events events;
	void *ctx;
	struct redis_script script;
	struct backoff backoff;
	struct pacing_batch *filling; /* NULL: nothing is to be asked */
	struct pacing_batch_list in_flight;
	bool has_failed;
};

struct pacing *pacing_new(struct redis_conn *redis, const struct pacing_events *events, void *ctx)
{
	struct pacing *pacing = mem_new(struct pacing);
	pacing->redis = redis;
	pacing->events = *events;
	pacing->ctx = ctx;
	pacing->script.source = script_source;
	backoff_init(&pacing->backoff, 100, 5000);
	TAILQ_INIT(&pacing->in_flight);
	return pacing;
}

static void batch_free(struct pacing_batch *batch)
{
	pool_free(&batch->pool);
	mem_free(batch);
}

/* Redis said nothing that we understand. */
static void answer_nothing(struct pacing_batch *batch, int64_t wait_ms)
{
	for (int i = batch->n - 1; i >= 0; i--) {
		struct pacing *pacing = batch->pacing;
		pacing->events.on_answer(
			pacing->ctx, batch->questions[i].conversation, HELD_NOT, wait_ms);
	}
}

void pacing_free(struct pacing **pacing)
{
	struct pacing_batch *batch;
	if (*pacing == NULL) {
		return;
	}
	pacing_flush(*pacing);
	while ((batch = TAILQ_FIRST(&(*pacing)->in_flight)) != NULL) {
		redis_conn_forget((*pacing)->redis, batch);
		TAILQ_REMOVE(&(*pacing)->in_flight, batch, in_flight);
		answer_nothing(batch, 1);
		batch_free(batch);
	}
	mem_free(*pacing);
	*pacing = NULL;
}

static void add_arg(struct pacing_batch *batch, int64_t number)
{
	batch->args[batch->n_args++] = sv_from(pool_printf(batch->pool, "%lld", (long long)number));
}

static int64_t tolerance_us(const struct pace_rate *rate)
{
	int64_t more = rate->burst - 1;
	bool is_huge = more > TOLERANCE_MAX_US / rate->interval_us;
	return is_huge ? TOLERANCE_MAX_US : more * rate->interval_us;
}

static void add_limit(struct pacing_batch *batch, const struct pace_rate *rate, const char *key)
{
	batch->keys[batch->n_keys++] = sv_from(key);
	add_arg(batch, rate->interval_us);
	add_arg(batch, tolerance_us(rate));
}

static struct pacing_batch *batch_new(struct pacing *pacing)
{
	struct pacing_batch *batch = mem_new(struct pacing_batch);
	batch->pacing = pacing;
	batch->pool = pool_new();
	batch->n_args = 1; /* the count comes last */
	return batch;
}

void pacing_ask(
	struct pacing *pacing, struct conversation *conversation, const struct pace_limits *limits)
{
	if (pacing->filling == NULL) {
		pacing->filling = batch_new(pacing);
	}
	struct pacing_batch *batch = pacing->filling;
	struct pacing_question *question = &batch->questions[batch->n++];
	int session_id = conversation_session(conversation);
	int tenant_id = conversation_first(conversation)->tenant_id;
	int n = 0;
	question->conversation = conversation;
	int count_at = batch->n_args++;
	if (limits->session.interval_us > 0) {
		question->reasons[n++] = HELD_SESSION_PACE;
		add_limit(
			batch, &limits->session, pool_printf(batch->pool, "pace.s.%d", session_id));
	}
	if (limits->recipient.interval_us > 0) {
		question->reasons[n++] = HELD_RECIPIENT_PACE;
		add_limit(batch, &limits->recipient,
			pool_printf(batch->pool, "pace.r.%d.%.*s", session_id,
				SV_ARG(conversation_phone(conversation))));
	}
	if (limits->tenant.interval_us > 0) {
		question->reasons[n++] = HELD_TENANT_PACE;
		add_limit(batch, &limits->tenant, pool_printf(batch->pool, "pace.t.%d", tenant_id));
	}
	batch->args[count_at] = sv_from(pool_printf(batch->pool, "%d", n));
	if (batch->n == BATCH_MAX) {
		pacing_flush(pacing);
	}
}

static bool is_answer(
	const struct pacing_batch *batch, enum redis_status status, const struct redis_reply *reply)
{
	return status == REDIS_OK && redis_reply_kind(reply) == REDIS_ARRAY &&
	       redis_reply_len(reply) == 2 * batch->n;
}

static void fail(struct pacing *pacing, struct pacing_batch *batch, enum redis_status status,
	const struct redis_reply *reply)
{
	if (!pacing->has_failed) {
		log_warn("pacing_ask", log_text("status", redis_status_name(status)),
			log_sv("error", redis_reply_string(reply)));
	}
	pacing->has_failed = true;
	answer_nothing(batch, backoff_fail_ms(&pacing->backoff));
}

static void answer(
	struct pacing *pacing, struct pacing_batch *batch, const struct redis_reply *reply)
{
	pacing->has_failed = false;
	backoff_succeed(&pacing->backoff);
	for (int i = 0; i < batch->n; i++) {
		if (redis_reply_int(redis_reply_at(reply, 2 * i)) == 0) {
			pacing->events.on_answer(
				pacing->ctx, batch->questions[i].conversation, HELD_NOT, 0);
		}
	}
	for (int i = batch->n - 1; i >= 0; i--) {
		const struct pacing_question *question = &batch->questions[i];
		int64_t wait_ms = redis_reply_int(redis_reply_at(reply, 2 * i));
		int64_t which = redis_reply_int(redis_reply_at(reply, 2 * i + 1));
		bool is_one = which >= 1 && which <= (int64_t)array_len(question->reasons);
		if (wait_ms != 0) {
			pacing->events.on_answer(pacing->ctx, question->conversation,
				is_one ? question->reasons[which - 1] : HELD_NOT, wait_ms);
		}
	}
}

static void on_reply(void *ctx, enum redis_status status, const struct redis_reply *reply)
{
	struct pacing_batch *batch = ctx;
	struct pacing *pacing = batch->pacing;
	TAILQ_REMOVE(&pacing->in_flight, batch, in_flight);
	if (is_answer(batch, status, reply)) {
		answer(pacing, batch, reply);
	} else {
		fail(pacing, batch, status, reply);
	}
	batch_free(batch);
	pacing->events.on_answers_end(pacing->ctx);
}

void pacing_flush(struct pacing *pacing)
{
	struct pacing_batch *batch = pacing->filling;
	if (batch == NULL) {
		return;
	}
	pacing->filling = NULL;
	batch->args[0] = sv_from(pool_printf(batch->pool, "%d", batch->n));
	int argc = batch->n_keys + batch->n_args;
	struct strview *argv = pool_array(batch->pool, (size_t)argc, sizeof(*argv));
	for (int i = 0; i < argc; i++) {
		argv[i] = i < batch->n_keys ? batch->keys[i] : batch->args[i - batch->n_keys];
	}
	TAILQ_INSERT_TAIL(&pacing->in_flight, batch, in_flight);
	redis_conn_script(pacing->redis, &pacing->script, batch->n_keys, argc, argv, DEADLINE_MS,
		on_reply, batch);
}
