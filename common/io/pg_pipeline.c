#include "common/io/pg_pipeline.h"

#include <stdio.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/mem.h"

#define PLAN_NAME_SIZE 80 /* the server keeps 63 bytes of a name */

/* A statement as it is known to the present connection. */
struct plan {
	const struct pg_stmt *stmt;
	int generation;   /* > 0 after the server lost or could not use an earlier one */
	bool is_prepared; /* sent, and not known to have failed */
};

struct request_list {
	struct pg_request *first, *last;
	int n;
};

struct pg_pipeline {
	PGconn *pq; /* borrowed */
	struct request_list in_flight;
	struct request_list ended;
	struct plan *plans;
	int n_plans, cap_plans;
	struct err last_words;
};

static void list_push(struct request_list *list, struct pg_request *request)
{
	request->next = NULL;
	if (list->last != NULL)
		list->last->next = request;
	else
		list->first = request;
	list->last = request;
	list->n++;
}

static struct pg_request *list_pop(struct request_list *list)
{
	struct pg_request *request = list->first;
	if (request == NULL)
		return NULL;
	list->first = request->next;
	if (list->first == NULL)
		list->last = NULL;
	list->n--;
	return request;
}

static void list_clear(struct request_list *list)
{
	struct pg_request *request;
	while ((request = list_pop(list)) != NULL)
		pg_request_free(&request);
}

struct pg_pipeline *pg_pipeline_new(void)
{
	return mem_new(struct pg_pipeline);
}

void pg_pipeline_free(struct pg_pipeline **pipeline)
{
	if (*pipeline == NULL)
		return;
	list_clear(&(*pipeline)->in_flight);
	list_clear(&(*pipeline)->ended);
	mem_free((*pipeline)->plans);
	mem_free(*pipeline);
	*pipeline = NULL;
}

/* A session that the server ends is told by a FATAL error, as an answer or unasked. */
static void note_last_words(struct pg_pipeline *pipeline, const PGresult *rows)
{
	const char *severity = PQresultErrorField(rows, PG_DIAG_SEVERITY_NONLOCALIZED);
	const char *message = PQresultErrorField(rows, PG_DIAG_MESSAGE_PRIMARY);
	if (severity != NULL && message != NULL &&
		(strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0))
		(void)err_set(&pipeline->last_words, "%s", message);
}

/* Notices and warnings are dropped. */
static void on_notice(void *ctx, const PGresult *notice)
{
	note_last_words(ctx, notice);
}

void pg_pipeline_attach(struct pg_pipeline *pipeline, PGconn *pq)
{
	ASSERT(pipeline->in_flight.n == 0);
	pipeline->pq = pq;
	pipeline->last_words.text[0] = '\0';
	if (pq != NULL)
		(void)PQsetNoticeReceiver(pq, on_notice, pipeline);
	for (int i = 0; i < pipeline->n_plans; i++) {
		pipeline->plans[i].is_prepared = false;
		pipeline->plans[i].generation = 0;
	}
}

struct pg_request *pg_request_new(pg_done_fn fn, void *ctx, int64_t deadline_ms)
{
	struct pg_request *request = mem_new(struct pg_request);
	request->fn = fn;
	request->ctx = ctx;
	request->deadline_ms = deadline_ms;
	return request;
}

void pg_request_free(struct pg_request **request)
{
	if (*request == NULL)
		return;
	pg_result_deinit(&(*request)->result);
	mem_free(*request);
	*request = NULL;
}

static int plan_add(struct pg_pipeline *pipeline, const struct pg_stmt *stmt)
{
	for (int i = 0; i < pipeline->n_plans; i++)
		ASSERT(strcmp(pipeline->plans[i].stmt->name, stmt->name) !=
			0); /* two statements of one name */
	ASSERT(strlen(stmt->name) <
		56); /* leaves room for ".<generation>" in what the server keeps */
	if (pipeline->n_plans == pipeline->cap_plans) {
		pipeline->cap_plans = pipeline->cap_plans > 0 ? 2 * pipeline->cap_plans : 16;
		pipeline->plans = mem_realloc(
			pipeline->plans, (size_t)pipeline->cap_plans * sizeof(*pipeline->plans));
	}
	pipeline->plans[pipeline->n_plans] = (struct plan){.stmt = stmt};
	return pipeline->n_plans++;
}

static int plan_find_or_add(struct pg_pipeline *pipeline, const struct pg_stmt *stmt)
{
	for (int i = 0; i < pipeline->n_plans; i++) {
		if (pipeline->plans[i].stmt == stmt)
			return i;
	}
	return plan_add(pipeline, stmt);
}

static const char *plan_name(const struct plan *plan, char buf[PLAN_NAME_SIZE])
{
	if (plan->generation == 0)
		return plan->stmt->name;
	(void)snprintf(buf, PLAN_NAME_SIZE, "%s.%d", plan->stmt->name, plan->generation);
	return buf;
}

static int send_prepare(struct pg_pipeline *pipeline, struct pg_request *request, int index)
{
	struct plan *plan = &pipeline->plans[index];
	char buf[PLAN_NAME_SIZE];
	if (!PQsendPrepare(pipeline->pq, plan_name(plan, buf), plan->stmt->sql, 0, NULL))
		return -1;
	plan->is_prepared = true;
	request->prepares[request->n_prepares].index = index;
	request->prepares[request->n_prepares].generation = plan->generation;
	request->n_prepares++;
	return 0;
}

static int send_execute(struct pg_pipeline *pipeline, int index, const struct pg_params *params)
{
	static const struct pg_params no_params;
	static int all_binary[PG_MAX_PARAMS];
	char buf[PLAN_NAME_SIZE];
	if (all_binary[0] == 0) {
		for (int i = 0; i < PG_MAX_PARAMS; i++)
			all_binary[i] = 1;
	}
	if (params == NULL)
		params = &no_params;
	return PQsendQueryPrepared(pipeline->pq, plan_name(&pipeline->plans[index], buf), params->n,
		       params->values, params->lengths, all_binary, 1)
		       ? 0
		       : -1;
}

static int send_sync(PGconn *pq)
{
#ifdef WA_HAVE_PQ_SEND_PIPELINE_SYNC
	return PQsendPipelineSync(pq) ? 0 : -1;
#else
	return PQpipelineSync(pq) ? 0 : -1; /* flushes each time */
#endif
}

int pg_pipeline_send(struct pg_pipeline *pipeline, struct pg_request *request, int n,
	const struct pg_stmt *const *stmts, const struct pg_params *const *params)
{
	ASSERT(n > 0 && n <= PG_MAX_GROUP);
	list_push(&pipeline->in_flight, request);
	/* All prepares go first: one that stood behind a statement would be skipped when that
	   fails, and requests that were sent meanwhile would miss it. */
	for (int i = 0; i < n; i++) {
		int index = plan_find_or_add(pipeline, stmts[i]);
		if (!pipeline->plans[index].is_prepared &&
			send_prepare(pipeline, request, index) != 0)
			return -1;
		request->stmts[i].index = index;
		request->stmts[i].generation = pipeline->plans[index].generation;
	}
	request->n_stmts = n;
	for (int i = 0; i < n; i++) {
		if (send_execute(pipeline, request->stmts[i].index,
			    params != NULL ? params[i] : NULL) != 0)
			return -1;
	}
	return send_sync(pipeline->pq);
}

void pg_pipeline_refuse(
	struct pg_pipeline *pipeline, struct pg_request *request, const struct err *why)
{
	pg_result_without_answer(&request->result, PG_UNAVAILABLE, why);
	list_push(&pipeline->ended, request);
}

/* The server refused the request at its n_ended-th command: what follows of it was skipped. */
static void note_failure(
	struct pg_pipeline *pipeline, struct pg_request *request, const struct pg_result *result)
{
	for (int i = request->n_ended; i < request->n_prepares; i++) {
		struct plan *plan = &pipeline->plans[request->prepares[i].index];
		if (plan->generation == request->prepares[i].generation)
			plan->is_prepared = false;
	}
	int i_stmt = request->n_ended - request->n_prepares;
	if (i_stmt < 0 || i_stmt >= request->n_stmts || !pg_result_is_stale_plan(result))
		return;
	struct plan *plan = &pipeline->plans[request->stmts[i_stmt].index];
	if (plan->generation == request->stmts[i_stmt].generation) {
		plan->generation++;
		plan->is_prepared = false;
	}
}

static void take_answer(struct pg_pipeline *pipeline, struct pg_request *request, PGresult *rows)
{
	struct pg_result result;
	pg_result_from_server(&result, rows);
	if (result.status != PG_OK) {
		note_last_words(pipeline, rows);
		note_failure(pipeline, request, &result);
	}
	bool is_of_prepare = request->n_ended < request->n_prepares;
	if (request->result.status == PG_FAILED || (is_of_prepare && result.status == PG_OK)) {
		pg_result_deinit(&result);
		return;
	}
	pg_result_deinit(&request->result);
	request->result = result;
}

/* 0, or -1 when the answer is one that cannot be dealt with. */
static int take_result(struct pg_pipeline *pipeline, PGresult *rows)
{
	struct pg_request *request = pipeline->in_flight.first;
	if (rows == NULL) {
		request->n_ended++;
		return 0;
	}
	switch (PQresultStatus(rows)) {
	case PGRES_PIPELINE_SYNC:
		PQclear(rows);
		list_push(&pipeline->ended, list_pop(&pipeline->in_flight));
		return 0;
	case PGRES_PIPELINE_ABORTED:
		PQclear(rows);
		return 0;
	case PGRES_TUPLES_OK:
	case PGRES_COMMAND_OK:
	case PGRES_EMPTY_QUERY:
	case PGRES_BAD_RESPONSE:
	case PGRES_NONFATAL_ERROR:
	case PGRES_FATAL_ERROR:
		take_answer(pipeline, request, rows);
		return 0;
	case PGRES_COPY_OUT:
	case PGRES_COPY_IN:
	case PGRES_COPY_BOTH:
	case PGRES_SINGLE_TUPLE:
#ifdef LIBPQ_HAS_CHUNK_MODE /* libpq 17 knows one more */
	case PGRES_TUPLES_CHUNK:
#endif
	default:
		PQclear(rows);
		return -1;
	}
}

int pg_pipeline_receive(struct pg_pipeline *pipeline)
{
	PGconn *pq = pipeline->pq;
	int ret = PQconsumeInput(pq) ? 0 : -1;
	/* PQisBusy() comes first: it also parses what the server says unasked. */
	while (!PQisBusy(pq) && pipeline->in_flight.first != NULL) {
		PGresult *rows = PQgetResult(pq);
		/* On a lost connection libpq answers for ever. */
		if (rows == NULL && PQstatus(pq) == CONNECTION_BAD)
			break;
		if (take_result(pipeline, rows) != 0)
			return -1;
	}
	return PQstatus(pq) == CONNECTION_BAD ? -1 : ret;
}

const char *pg_pipeline_last_words(const struct pg_pipeline *pipeline)
{
	return pipeline->last_words.text;
}

void pg_pipeline_lose(struct pg_pipeline *pipeline, const struct err *why)
{
	struct pg_request *request;
	while ((request = list_pop(&pipeline->in_flight)) != NULL) {
		pg_result_deinit(&request->result);
		pg_result_without_answer(&request->result, PG_UNKNOWN, why);
		list_push(&pipeline->ended, request);
	}
}

static void list_forget(struct request_list *list, const void *ctx)
{
	for (struct pg_request *request = list->first; request != NULL; request = request->next) {
		if (request->ctx == ctx)
			request->fn = NULL;
	}
}

void pg_pipeline_forget(struct pg_pipeline *pipeline, const void *ctx)
{
	list_forget(&pipeline->in_flight, ctx);
	list_forget(&pipeline->ended, ctx);
}

int pg_pipeline_in_flight(const struct pg_pipeline *pipeline)
{
	return pipeline->in_flight.n;
}

int pg_pipeline_n_ended(const struct pg_pipeline *pipeline)
{
	return pipeline->ended.n;
}

struct pg_request *pg_pipeline_take(struct pg_pipeline *pipeline)
{
	return list_pop(&pipeline->ended);
}

const struct pg_request *pg_pipeline_most_urgent(const struct pg_pipeline *pipeline)
{
	const struct pg_request *urgent = pipeline->in_flight.first;
	for (const struct pg_request *request = urgent; request != NULL; request = request->next) {
		if (request->deadline_ms < urgent->deadline_ms)
			urgent = request;
	}
	return urgent;
}

const char *pg_pipeline_request_name(
	const struct pg_pipeline *pipeline, const struct pg_request *request)
{
	return pipeline->plans[request->stmts[0].index].stmt->name;
}
