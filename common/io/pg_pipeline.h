/*
 * The queue of one connection in libpq's pipeline mode: sends requests (one or more statements up
 * to a sync point), reads what the server answers and keeps both in order. Statements are prepared
 * when they are first sent. Calls nobody: what has ended is taken with pg_pipeline_take().
 *
 * A request has ended only when its sync point is answered: its commit happens there, and may still
 * fail there.
 */
#ifndef WA_IO_PG_PIPELINE_H
#define WA_IO_PG_PIPELINE_H

#include "common/io/pg_internal.h"

#define PG_MAX_GROUP 8

struct pg_pipeline;

struct pg_request {
	struct pg_request *next;
	pg_done_fn fn; /* NULL: nobody waits for it */
	void *ctx;
	int64_t deadline_ms; /* monotonic */
	struct pg_result result;
	int n_stmts;
	int n_prepares; /* sent before the statements */
	int n_ended;    /* of both, answered */
	struct {
		int index;      /* into the pipeline's plans */
		int generation; /* of that plan, when this was sent */
	} stmts[PG_MAX_GROUP], prepares[PG_MAX_GROUP];
};

struct pg_pipeline *pg_pipeline_new(void);
void pg_pipeline_free(struct pg_pipeline **pipeline); /* with all requests */
/* Work on this new connection from now on (borrowed; must be in pipeline mode); NULL: on none.
   Nothing may be in flight. Becomes its notice receiver. */
void pg_pipeline_attach(struct pg_pipeline *pipeline, PGconn *pq);

/* The caller sets fn, ctx and deadline_ms of a new request, then sends or refuses it. */
struct pg_request *pg_request_new(pg_done_fn fn, void *ctx, int64_t deadline_ms);
void pg_request_free(struct pg_request **request);
/* Takes the request. On -1 the connection is of no more use; the request counts as in flight in
 * both cases. */
int pg_pipeline_send(struct pg_pipeline *pipeline, struct pg_request *request, int n,
	const struct pg_stmt *const *stmts, const struct pg_params *const *params);
/* Takes the request, which ends without having been sent. */
void pg_pipeline_refuse(
	struct pg_pipeline *pipeline, struct pg_request *request, const struct err *why);
/* Read all that has arrived. -1: the connection is of no more use. */
int pg_pipeline_receive(struct pg_pipeline *pipeline);
/* What the server said before it closed the connection, e.g. "terminating connection due to
 * administrator command", or "". */
const char *pg_pipeline_last_words(const struct pg_pipeline *pipeline);
/* All in flight end as PG_UNKNOWN. */
void pg_pipeline_lose(struct pg_pipeline *pipeline, const struct err *why);
/* Requests with this ctx end without their callbacks. */
void pg_pipeline_forget(struct pg_pipeline *pipeline, const void *ctx);

int pg_pipeline_in_flight(const struct pg_pipeline *pipeline);
int pg_pipeline_n_ended(const struct pg_pipeline *pipeline);
/* The next request that has ended, in the order of ending; the caller owns it. NULL when there is
 * none. */
struct pg_request *pg_pipeline_take(struct pg_pipeline *pipeline);
/* The request in flight whose deadline comes first, or NULL. */
const struct pg_request *pg_pipeline_most_urgent(const struct pg_pipeline *pipeline);
/* Name of the request's first statement, for messages. */
const char *pg_pipeline_request_name(
	const struct pg_pipeline *pipeline, const struct pg_request *request);

#endif
