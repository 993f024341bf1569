#include "common/io/pg_conn.h"

#include <string.h>

#include <event2/event.h>

#include "common/base/backoff.h"
#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/io/pg_pipeline.h"
#include "common/io/pg_target.h"

#define BACKOFF_BASE_MS 50
#define BACKOFF_MAX_MS  2000
#define STEADY_MS                                                                                  \
	BACKOFF_MAX_MS /* a connection that stood for so long makes the earlier failures forgotten \
			*/

#define DEFAULT_MAX_IN_FLIGHT      256
#define DEFAULT_CONNECT_TIMEOUT_MS 5000

enum pg_conn_state {
	PG_CONN_RESTING,    /* no socket; the timer says when to try again */
	PG_CONN_RESOLVING,  /* the addresses of the hosts are looked up; the timer limits this and
			       the next two together */
	PG_CONN_CONNECTING, /* libpq connects */
	PG_CONN_GREETING,   /* the first query, our own, is on its way */
	PG_CONN_UP,         /* the timer stands at the earliest deadline in flight */
};

enum told { TOLD_NOTHING, TOLD_UP, TOLD_DOWN };

struct pg_conn {
	struct loop *loop;
	struct pg_conn_options options;
	pg_change_fn on_change;
	void *ctx;
	enum pg_conn_state state;
	enum told told;
	struct err why; /* why it is not up */
	struct pg_target *target;
	PGconn *pq;
	struct pg_pipeline *pipeline;
	struct event *read_event;
	struct event *write_event; /* pending while the socket is full */
	struct loop_timer *timer;
	int64_t timer_due_ms; /* of the earliest deadline, while up */
	int64_t up_since_ms;
	struct loop_turn *turn;
	struct backoff backoff;
	bool *is_freed; /* set by pg_conn_free() for the caller of callbacks */
};

/* Have the server notice that we are gone while it executes something (from version 14 on; older
 * ones refuse, which is fine). */
static const struct pg_stmt greeting_stmt = {
	.name = "pg_conn_greeting",
	.sql = "SELECT pg_catalog.set_config('client_connection_check_interval', '2000', false)",
};

/* What is waited for in it. */
static const char *state_name(enum pg_conn_state state)
{
	switch (state) {
	case PG_CONN_RESTING:
		return "waiting to try again";
	case PG_CONN_RESOLVING:
		return "looking up the host";
	case PG_CONN_CONNECTING:
		return "connecting";
	case PG_CONN_GREETING:
		return "waiting for the first answer";
	case PG_CONN_UP:
		return "up";
	}
	WRONG("no such state");
}

static void pg_conn_set_state(struct pg_conn *conn, enum pg_conn_state state)
{
	switch (state) {
	case PG_CONN_RESTING:
		break;
	case PG_CONN_RESOLVING:
		ASSERT(conn->state == PG_CONN_RESTING);
		break;
	case PG_CONN_CONNECTING:
		ASSERT(conn->state == PG_CONN_RESOLVING);
		break;
	case PG_CONN_GREETING:
		ASSERT(conn->state == PG_CONN_CONNECTING);
		break;
	case PG_CONN_UP:
		ASSERT(conn->state == PG_CONN_GREETING);
		break;
	}
	conn->state = state;
}

static void free_event(struct event **event)
{
	if (*event != NULL)
		event_free(*event);
	*event = NULL;
}

static void close_all(struct pg_conn *conn)
{
	pg_target_cancel(&conn->target);
	/* Before PQfinish(), which closes the descriptor that the events watch. */
	free_event(&conn->read_event);
	free_event(&conn->write_event);
	pg_pipeline_attach(conn->pipeline, NULL);
	PQfinish(conn->pq);
	conn->pq = NULL;
}

/* Leave whatever is with this reason and try again later. Callbacks come at the end of the turn. */
static void pg_conn_drop(struct pg_conn *conn, const struct err *why)
{
	conn->why = *why;
	pg_pipeline_lose(conn->pipeline, why);
	close_all(conn);
	if (conn->state == PG_CONN_UP && clock_mono_ms() - conn->up_since_ms >= STEADY_MS)
		backoff_succeed(&conn->backoff);
	pg_conn_set_state(conn, PG_CONN_RESTING);
	loop_timer_arm(conn->timer, backoff_fail_ms(&conn->backoff));
	loop_turn_request(conn->turn);
}

static void drop_with_libpq_reason(struct pg_conn *conn)
{
	struct err why;
	const char *text = pg_pipeline_last_words(conn->pipeline);
	if (text[0] == '\0')
		text = PQerrorMessage(conn->pq);
	(void)err_set(&why, "%.*s", (int)strcspn(text, "\n"),
		text); /* what follows the first line is advice */
	pg_conn_drop(conn, &why);
}

/* --- telling --- */

static void tell_change(struct pg_conn *conn)
{
	bool is_up = conn->state == PG_CONN_UP;
	enum told now = is_up ? TOLD_UP : TOLD_DOWN;
	if (conn->told == now || (!is_up && conn->why.text[0] == '\0'))
		return;
	conn->told = now;
	if (conn->on_change == NULL)
		return;
	struct err why = conn->why;
	conn->on_change(conn->ctx, is_up, is_up ? NULL : &why);
}

/* Run the callbacks that are due. Any of them may free conn. */
static void pg_conn_tell(struct pg_conn *conn)
{
	bool is_freed = false;
	conn->is_freed = &is_freed;
	tell_change(conn);
	if (is_freed)
		return;
	/* What ends from now on waits for the next turn: a callback that asks again at once, and is
	   refused at once, would keep us here for ever. */
	for (int n = pg_pipeline_n_ended(conn->pipeline); n > 0; n--) {
		struct pg_request *request = pg_pipeline_take(conn->pipeline);
		if (request == NULL)
			break;
		if (request->fn != NULL)
			request->fn(request->ctx, &request->result);
		pg_request_free(&request);
		if (is_freed)
			return;
	}
	conn->is_freed = NULL;
	if (pg_pipeline_n_ended(conn->pipeline) > 0)
		loop_turn_request(conn->turn);
}

/* --- the socket when connected --- */

static void pg_conn_flush(struct pg_conn *conn)
{
	int rest = PQflush(conn->pq);
	if (rest < 0)
		drop_with_libpq_reason(conn);
	else if (rest > 0)
		ASSERT(event_add(conn->write_event, NULL) == 0);
}

static void on_writable(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd;
	(void)what;
	pg_conn_flush(ctx);
}

static void on_readable(evutil_socket_t fd, short what, void *ctx)
{
	struct pg_conn *conn = ctx;
	(void)fd;
	(void)what;
	if (pg_pipeline_receive(conn->pipeline) != 0)
		drop_with_libpq_reason(conn);
	pg_conn_tell(conn);
}

static void on_turn(void *ctx)
{
	struct pg_conn *conn = ctx;
	if (conn->state == PG_CONN_GREETING || conn->state == PG_CONN_UP)
		pg_conn_flush(conn);
	pg_conn_tell(conn);
}

/* --- connecting --- */

static void on_greeted(void *ctx, const struct pg_result *result)
{
	struct pg_conn *conn = ctx;
	if (conn->state != PG_CONN_GREETING || pg_status(result) == PG_UNKNOWN)
		return;
	pg_conn_set_state(conn, PG_CONN_UP);
	conn->up_since_ms = clock_mono_ms();
	conn->timer_due_ms = INT64_MAX;
	conn->why.text[0] = '\0';
	loop_timer_disarm(conn->timer);
	loop_turn_request(conn->turn); /* tells it */
}

static void greet(struct pg_conn *conn)
{
	const struct pg_stmt *stmt = &greeting_stmt;
	pg_conn_set_state(conn, PG_CONN_GREETING);
	pg_pipeline_attach(conn->pipeline, conn->pq);
	struct event_base *base = loop_base(conn->loop);
	conn->read_event =
		event_new(base, PQsocket(conn->pq), EV_READ | EV_PERSIST, on_readable, conn);
	conn->write_event = event_new(base, PQsocket(conn->pq), EV_WRITE, on_writable, conn);
	ASSERT(conn->read_event != NULL && conn->write_event != NULL);
	ASSERT(event_add(conn->read_event, NULL) == 0);
	struct pg_request *request = pg_request_new(on_greeted, conn, INT64_MAX);
	if (pg_pipeline_send(conn->pipeline, request, 1, &stmt, NULL) != 0) {
		drop_with_libpq_reason(conn);
		return;
	}
	loop_turn_request(conn->turn);
}

static void on_connecting(evutil_socket_t fd, short what, void *ctx);

/* Wait for the socket as libpq asks; it may be another one than before. */
static void wait_for_socket(struct pg_conn *conn, short what)
{
	free_event(&conn->read_event);
	conn->read_event =
		event_new(loop_base(conn->loop), PQsocket(conn->pq), what, on_connecting, conn);
	ASSERT(conn->read_event != NULL);
	ASSERT(event_add(conn->read_event, NULL) == 0);
}

static void on_connecting(evutil_socket_t fd, short what, void *ctx)
{
	struct pg_conn *conn = ctx;
	(void)fd;
	(void)what;
	free_event(&conn->read_event); /* libpq may close this socket now */
	switch (PQconnectPoll(conn->pq)) {
	case PGRES_POLLING_READING:
		wait_for_socket(conn, EV_READ);
		return;
	case PGRES_POLLING_WRITING:
		wait_for_socket(conn, EV_WRITE);
		return;
	case PGRES_POLLING_OK:
		break;
	case PGRES_POLLING_FAILED:
	case PGRES_POLLING_ACTIVE:
	default:
		drop_with_libpq_reason(conn);
		return;
	}
	if (PQsetnonblocking(conn->pq, 1) != 0 || PQenterPipelineMode(conn->pq) != 1)
		drop_with_libpq_reason(conn);
	else
		greet(conn);
}

static void on_target(
	void *ctx, const char *const *keys, const char *const *values, const struct err *err)
{
	struct pg_conn *conn = ctx;
	conn->target = NULL;
	if (err != NULL) {
		pg_conn_drop(conn, err);
		return;
	}
	pg_conn_set_state(conn, PG_CONN_CONNECTING);
	conn->pq = PQconnectStartParams(keys, values, 0);
	ASSERT(conn->pq != NULL); /* only without memory */
	if (PQstatus(conn->pq) == CONNECTION_BAD)
		drop_with_libpq_reason(conn);
	else
		wait_for_socket(conn, EV_WRITE);
}

static void pg_conn_connect(struct pg_conn *conn)
{
	pg_conn_set_state(conn, PG_CONN_RESOLVING);
	loop_timer_arm(conn->timer, conn->options.connect_timeout_ms);
	conn->target = pg_target_start(conn->loop, &conn->options, on_target, conn);
}

/* --- time --- */

static void check_deadlines(struct pg_conn *conn)
{
	const struct pg_request *request = pg_pipeline_most_urgent(conn->pipeline);
	conn->timer_due_ms = request != NULL ? request->deadline_ms : INT64_MAX;
	if (request == NULL)
		return;
	int64_t left_ms = request->deadline_ms - clock_mono_ms();
	if (left_ms > 0) {
		loop_timer_arm(conn->timer, left_ms);
		return;
	}
	struct err why;
	(void)err_set(&why, "no answer to %s within its deadline (%d in flight)",
		pg_pipeline_request_name(conn->pipeline, request),
		pg_pipeline_in_flight(conn->pipeline));
	pg_conn_drop(conn, &why);
}

static void on_timer(void *ctx)
{
	struct pg_conn *conn = ctx;
	struct err why;
	switch (conn->state) {
	case PG_CONN_RESTING:
		pg_conn_connect(conn);
		return;
	case PG_CONN_RESOLVING:
	case PG_CONN_CONNECTING:
	case PG_CONN_GREETING:
		(void)err_set(&why, "no connection within %lld ms (%s)",
			(long long)conn->options.connect_timeout_ms, state_name(conn->state));
		pg_conn_drop(conn, &why);
		return;
	case PG_CONN_UP:
		check_deadlines(conn);
		return;
	}
}

/* --- the contract --- */

struct pg_conn *pg_conn_new(
	struct loop *loop, const struct pg_conn_options *options, pg_change_fn on_change, void *ctx)
{
	struct pg_conn *conn = mem_new(struct pg_conn);
	conn->loop = loop;
	conn->options = *options;
	if (conn->options.max_in_flight == 0)
		conn->options.max_in_flight = DEFAULT_MAX_IN_FLIGHT;
	if (conn->options.connect_timeout_ms == 0)
		conn->options.connect_timeout_ms = DEFAULT_CONNECT_TIMEOUT_MS;
	conn->on_change = on_change;
	conn->ctx = ctx;
	conn->pipeline = pg_pipeline_new();
	conn->timer = loop_timer_new(loop, "pg_conn", on_timer, conn);
	conn->turn = loop_turn_new(loop, "pg_conn", on_turn, conn);
	backoff_init(&conn->backoff, BACKOFF_BASE_MS, BACKOFF_MAX_MS);
	loop_timer_arm(conn->timer, 0);
	return conn;
}

void pg_conn_free(struct pg_conn **conn)
{
	struct pg_conn *old = *conn;
	if (old == NULL)
		return;
	*conn = NULL;
	if (old->is_freed != NULL)
		*old->is_freed = true;
	pg_target_cancel(&old->target);
	free_event(&old->read_event);
	free_event(&old->write_event);
	loop_timer_free(&old->timer);
	loop_turn_free(&old->turn);
	PQfinish(old->pq);
	pg_pipeline_free(&old->pipeline);
	mem_free(old);
}

bool pg_conn_is_up(const struct pg_conn *conn)
{
	return conn->state == PG_CONN_UP;
}

int pg_conn_in_flight(const struct pg_conn *conn)
{
	return pg_pipeline_in_flight(conn->pipeline);
}

int pg_conn_room(const struct pg_conn *conn)
{
	int room = conn->options.max_in_flight - pg_pipeline_in_flight(conn->pipeline);
	return conn->state == PG_CONN_UP && room > 0 ? room : 0;
}

static void refuse(struct pg_conn *conn, struct pg_request *request)
{
	struct err why;
	if (conn->state == PG_CONN_UP)
		(void)err_set(&why, "%d queries are in flight, no more are taken",
			conn->options.max_in_flight);
	else
		(void)err_set(&why, "not connected: %s",
			conn->why.text[0] != '\0' ? conn->why.text : "not yet");
	pg_pipeline_refuse(conn->pipeline, request, &why);
	loop_turn_request(conn->turn);
}

void pg_conn_query_all(struct pg_conn *conn, int n, const struct pg_stmt *const *stmts,
	const struct pg_params *const *params, int64_t deadline_ms, pg_done_fn fn, void *ctx)
{
	ASSERT(n > 0 && n <= PG_MAX_GROUP && deadline_ms > 0);
	struct pg_request *request = pg_request_new(fn, ctx, clock_mono_ms() + deadline_ms);
	if (pg_conn_room(conn) == 0) {
		refuse(conn, request);
		return;
	}
	int64_t due_ms = request->deadline_ms;
	if (pg_pipeline_send(conn->pipeline, request, n, stmts, params) != 0) {
		drop_with_libpq_reason(conn);
		return;
	}
	if (due_ms < conn->timer_due_ms) {
		conn->timer_due_ms = due_ms;
		loop_timer_arm(conn->timer, deadline_ms);
	}
	loop_turn_request(conn->turn);
}

void pg_conn_query(struct pg_conn *conn, const struct pg_stmt *stmt, const struct pg_params *params,
	int64_t deadline_ms, pg_done_fn fn, void *ctx)
{
	pg_conn_query_all(conn, 1, &stmt, &params, deadline_ms, fn, ctx);
}

void pg_conn_forget(struct pg_conn *conn, const void *ctx)
{
	pg_pipeline_forget(conn->pipeline, ctx);
}
