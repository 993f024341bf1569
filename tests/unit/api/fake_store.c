/* See fake_store.h. */
#include "tests/unit/api/fake_store.h"

#include <stdio.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/mem.h"
#include "services/api/api_reply.h"
#include "services/api/api_store_keys.h"
#include "services/api/backlog.h"
#include "services/api/idempotency.h"
#include "services/api/outbound_publish.h"

struct fake fake;
static bool next_is_replayed;

void fake_start(void)
{
	memset(&fake, 0, sizeof(fake));
	fake.loop = loop_new();
	fake.metrics = metrics_new();
	fake.conns_are_up = true;
}

void fake_end(void)
{
	while (fake.open_calls != NULL)
		fake_call_end(fake.open_calls);
	metrics_free(&fake.metrics);
	loop_free(&fake.loop);
}

static int never(void *ctx)
{
	int *turns = ctx;
	return ++*turns > 3;
}

void fake_turn(void)
{
	int turns = 0;
	loop_run_until(fake.loop, never, &turns, 20);
}

/* --- queries --- */

static struct fake_query *query_add(enum fake_kind kind, pg_done_fn fn, void *ctx)
{
	ASSERT(fake.n_queries < FAKE_MAX_QUERIES);
	struct fake_query *query = &fake.queries[fake.n_queries++];
	*query = (struct fake_query){.kind = kind, .fn = fn, .ctx = ctx};
	return query;
}

const struct fake_query *fake_find(enum fake_kind kind)
{
	for (int i = 0; i < fake.n_queries; i++) {
		if (fake.queries[i].kind == kind)
			return &fake.queries[i];
	}
	return NULL;
}

void fake_reply(enum fake_kind kind, const struct pg_result *result)
{
	const struct fake_query *found = fake_find(kind);
	ASSERT(found != NULL);
	pg_done_fn fn = found->fn;
	void *ctx = found->ctx;
	int at = (int)(found - fake.queries);
	memmove(&fake.queries[at], &fake.queries[at + 1],
		(size_t)(fake.n_queries - at - 1) * sizeof(fake.queries[0]));
	fake.n_queries--;
	fn(ctx, result);
	fake_turn();
}

void store_accept_write(struct pg_conn *conn, const struct store_accept *const *rows, int n_rows,
	bool again, int64_t deadline_ms, pg_done_fn fn, void *ctx)
{
	(void)conn;
	ASSERT(deadline_ms > 0);
	struct fake_query *query = query_add(FAKE_WRITE, fn, ctx);
	query->again = again;
	query->n_rows = n_rows;
	memcpy(query->rows, rows, (size_t)n_rows * sizeof(*rows));
}

struct strview store_accept_written_id(const struct pg_result *result, int row)
{
	return result->ids[row];
}

int64_t store_accept_written_seq(const struct pg_result *result, int row)
{
	return result->seqs[row];
}

void store_accept_explain(
	struct api_store *store, const struct store_accept *row, pg_done_fn fn, void *ctx)
{
	(void)store;
	query_add(FAKE_EXPLAIN, fn, ctx)->rows[0] = row;
}

struct store_explanation store_accept_explanation(const struct pg_result *result)
{
	return *result->explanation;
}

void store_resolve(struct api_store *store, const struct store_resolve *questions, int n_questions,
	pg_done_fn fn, void *ctx)
{
	(void)store;
	struct fake_query *query = query_add(FAKE_RESOLVE, fn, ctx);
	query->n_rows = n_questions;
	memcpy(query->questions, questions, (size_t)n_questions * sizeof(*questions));
}

struct store_resolved store_resolved_at(const struct pg_result *result, int row)
{
	return result->resolved[row];
}

void store_contacts_of_phones(struct api_store *store, const struct store_resolve *questions,
	int n_questions, pg_done_fn fn, void *ctx)
{
	(void)store;
	(void)questions;
	query_add(FAKE_MAKE_CONTACTS, fn, ctx)->n_rows = n_questions;
}

void store_open_count(
	struct api_store *store, int32_t tenant_id, int64_t limit, pg_done_fn fn, void *ctx)
{
	(void)store;
	(void)tenant_id;
	(void)limit;
	query_add(FAKE_COUNT, fn, ctx);
}

void store_key_find(
	struct api_store *store, const uint8_t hash[SHA256_SIZE], pg_done_fn fn, void *ctx)
{
	(void)store;
	(void)hash;
	query_add(FAKE_KEY, fn, ctx);
}

bool store_key_row(
	const struct pg_result *result, struct caller *ret_caller, int64_t *ret_expires_at)
{
	if (result->caller == NULL)
		return false;
	*ret_caller = *result->caller;
	*ret_expires_at = result->expires_at;
	return true;
}

enum pg_status pg_status(const struct pg_result *result)
{
	return result->status;
}

const char *pg_status_name(enum pg_status status)
{
	(void)status;
	return "status";
}

const char *pg_sqlstate(const struct pg_result *result)
{
	(void)result;
	return "";
}

const struct err *pg_err(const struct pg_result *result)
{
	static const struct err err = {"as the test says"};
	(void)result;
	return &err;
}

bool pg_is_retryable(const struct pg_result *result)
{
	return result->is_retryable;
}

int pg_rows(const struct pg_result *result)
{
	return result->n_rows;
}

int64_t pg_int(const struct pg_result *result, int row, int col)
{
	(void)row;
	(void)col;
	return result->number;
}

struct pg_conn *pg_conn_new(
	struct loop *loop, const struct pg_conn_options *options, pg_change_fn on_change, void *ctx)
{
	(void)loop;
	(void)options;
	(void)on_change;
	(void)ctx;
	return NULL;
}

void pg_conn_free(struct pg_conn **conn)
{
	*conn = NULL;
}

bool pg_conn_is_up(const struct pg_conn *conn)
{
	(void)conn;
	return fake.conns_are_up;
}

/* --- answers --- */

static struct fake_answer *answer_add(struct api_call *call, int status)
{
	ASSERT(fake.n_answers < FAKE_MAX_ANSWERS);
	struct fake_answer *answer = &fake.answers[fake.n_answers++];
	*answer = (struct fake_answer){.status = status, .is_replayed = next_is_replayed};
	next_is_replayed = false;
	fake_call_end(call);
	return answer;
}

void api_reply_header(struct api_call *call, const char *name, struct strview value)
{
	(void)call;
	(void)value;
	if (strcmp(name, "Idempotent-Replayed") == 0)
		next_is_replayed = true;
}

void api_reply_json(struct api_call *call, int status, struct strview body)
{
	struct fake_answer *answer = answer_add(call, status);
	(void)snprintf(answer->body, sizeof(answer->body), "%.*s", SV_ARG(body));
}

static void answer_problem(struct api_call *call, enum problem problem)
{
	answer_add(call, problem_status(problem))->problem = problem;
}

void api_reply_problem(struct api_call *call, enum problem problem, const char *fmt, ...)
{
	(void)fmt;
	answer_problem(call, problem);
}

void api_reply_retry(
	struct api_call *call, enum problem problem, int retry_after_s, const char *detail)
{
	(void)detail;
	ASSERT(retry_after_s > 0);
	answer_problem(call, problem);
}

void api_reply_not_found(struct api_call *call, const char *what)
{
	ASSERT(strcmp(what, "Contact") == 0);
	answer_problem(call, PROBLEM_NOT_FOUND);
}

void api_reply_invalid_field(struct api_call *call, const char *field, const char *message)
{
	(void)message;
	struct fake_answer *answer = answer_add(call, 422);
	answer->problem = PROBLEM_VALIDATION;
	(void)snprintf(answer->field, sizeof(answer->field), "%s", field);
}

void api_reply_pg(struct api_call *call, const struct pg_result *result)
{
	answer_problem(
		call, result->is_retryable ? PROBLEM_DATABASE_UNAVAILABLE : PROBLEM_INTERNAL);
}

void idempotency_reply_mismatch(struct api_call *call)
{
	answer_problem(call, PROBLEM_IDEMPOTENCY_MISMATCH);
}

void outbound_publish(
	struct stream_writer *streams, int partition, const struct outbound_entry *entry)
{
	(void)streams;
	ASSERT(partition >= 0 && partition < 32);
	fake.n_published++;
	fake.published_seq = entry->queue_seq;
}

/* --- the rest of the process --- */

struct strview http_request_body(const struct http_request *request)
{
	(void)request;
	return SV_LIT("{\"contact_id\":1}");
}

struct metrics *daemon_metrics(struct daemon *daemon)
{
	(void)daemon;
	return fake.metrics;
}

const char *daemon_instance(struct daemon *daemon)
{
	(void)daemon;
	return "api-test";
}

struct api_call *fake_call_new(struct api *api)
{
	struct pool *pool = pool_new();
	struct api_call *call = pool_new_in(pool, struct api_call);
	call->api = api;
	call->pool = pool;
	call->idempotency.key = SV_NULL;
	call->next = fake.open_calls;
	fake.open_calls = call;
	return call;
}

void fake_call_end(struct api_call *call)
{
	struct pool *pool = call->pool;
	struct api_call **at = &fake.open_calls;
	while (*at != call)
		at = &(*at)->next;
	*at = call->next;
	pool_free(&pool); /* the call lies in it */
}
