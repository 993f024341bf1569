/* Our enum redis_status comes before hiredis, whose macro REDIS_OK has the same value, 0. */
#include "common/io/redis_conn.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

#include <hiredis/adapters/libevent.h>
#include <hiredis/async.h>

#include "common/base/backoff.h"
#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/strbuf.h"
#include "common/io/redis_request.h"
#include "common/io/redis_url.h"
#include "common/io/resolve.h"

#define BACKOFF_BASE_MS 50
#define BACKOFF_MAX_MS  2000
#define STEADY_MS                                                                                  \
	BACKOFF_MAX_MS /* a connection that stood for so long makes the earlier failures forgotten \
			*/
#define CONNECT_TIMEOUT_MS 5000
#define PING_IDLE_MS       5000
#define PING_TIMEOUT_MS    3000

enum redis_conn_state {
	REDIS_CONN_RESTING,    /* no socket; the timer says when to try again */
	REDIS_CONN_RESOLVING,  /* the host's address is looked up; resolve has its own timer */
	REDIS_CONN_CONNECTING, /* the timer limits it */
	REDIS_CONN_GREETING, /* AUTH, SELECT and PING are on their way; the same timer limits it */
	REDIS_CONN_UP, /* the timer stands at the earliest deadline in flight, or at the next PING
			*/
};

enum told { TOLD_NOTHING, TOLD_UP, TOLD_DOWN };

struct redis_conn {
	struct loop *loop;
	struct pool *pool; /* holds the url's texts */
	struct redis_url url;
	redis_change_fn on_change;
	void *ctx;
	enum redis_conn_state state;
	enum told told;
	struct err why; /* why it is not up */
	redisAsyncContext *hiredis;
	struct resolve *resolve;
	unsigned n_tries; /* to connect: takes another of the host's addresses each time */
	struct redis_request_list in_flight;
	struct redis_request_list ended; /* without a reply; told at the end of the turn */
	size_t in_flight_bytes;
	struct loop_timer *timer;
	int64_t timer_due_ms; /* while up */
	int64_t up_since_ms;
	int64_t heard_ms; /* when the last reply came */
	struct loop_turn *turn;
	struct backoff backoff;
	struct strbuf out; /* the command that is being put together */
	bool *is_freed;    /* set by redis_conn_free() for the caller of callbacks */
};

static void redis_conn_set_state(struct redis_conn *conn, enum redis_conn_state state)
{
	switch (state) {
	case REDIS_CONN_RESTING:
		break;
	case REDIS_CONN_RESOLVING:
		ASSERT(conn->state == REDIS_CONN_RESTING);
		break;
	case REDIS_CONN_CONNECTING:
		ASSERT(conn->state == REDIS_CONN_RESTING || conn->state == REDIS_CONN_RESOLVING);
		break;
	case REDIS_CONN_GREETING:
		ASSERT(conn->state == REDIS_CONN_CONNECTING);
		break;
	case REDIS_CONN_UP:
		ASSERT(conn->state == REDIS_CONN_GREETING);
		break;
	}
	conn->state = state;
}

static struct redis_request *pop_in_flight(struct redis_conn *conn)
{
	struct redis_request *request = redis_requests_pop(&conn->in_flight);
	if (request != NULL)
		conn->in_flight_bytes -= request->size_bytes;
	return request;
}

static void end_without_reply(
	struct redis_conn *conn, struct redis_request *request, enum redis_status status)
{
	request->status = status;
	redis_requests_push(&conn->ended, request);
	loop_turn_request(conn->turn);
}

/* --- leaving --- */

/* Leave whatever is with this reason and try again later. Callbacks come at the end of the turn. */
static void redis_conn_drop(struct redis_conn *conn, const struct err *why)
{
	conn->why = *why;
	resolve_cancel(&conn->resolve);
	redisAsyncContext *hiredis = conn->hiredis;
	conn->hiredis = NULL;
	if (hiredis != NULL) {
		hiredis->data = NULL; /* its callbacks are of no more interest */
		redisAsyncFree(hiredis);
	}
	struct redis_request *request;
	while ((request = pop_in_flight(conn)) != NULL)
		end_without_reply(conn, request, REDIS_UNKNOWN);
	if (conn->state == REDIS_CONN_UP && clock_mono_ms() - conn->up_since_ms >= STEADY_MS)
		backoff_succeed(&conn->backoff);
	redis_conn_set_state(conn, REDIS_CONN_RESTING);
	loop_timer_arm(conn->timer, backoff_fail_ms(&conn->backoff));
	loop_turn_request(conn->turn);
}

static void drop_because(struct redis_conn *conn, const char *what, const char *text)
{
	struct err why;
	(void)err_set(&why, "%s: %s", what, text);
	redis_conn_drop(conn, &why);
}

/* --- telling --- */

static void tell_change(struct redis_conn *conn)
{
	bool is_up = conn->state == REDIS_CONN_UP;
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
static void on_turn(void *ctx)
{
	struct redis_conn *conn = ctx;
	bool is_freed = false;
	conn->is_freed = &is_freed;
	tell_change(conn);
	/* What ends from now on waits for the next turn: a callback that asks again at once, and is
	   refused at once, would keep us here for ever. */
	for (int n = is_freed ? 0 : conn->ended.n; n > 0; n--) {
		struct redis_request *request = redis_requests_pop(&conn->ended);
		if (request->fn != NULL)
			request->fn(request->ctx, request->status, NULL);
		redis_request_free(request);
		if (is_freed)
			return;
	}
	if (!is_freed)
		conn->is_freed = NULL;
}

/* --- sending --- */

static void on_reply(redisAsyncContext *hiredis, void *reply, void *privdata);

/* Send what is in conn->out. */
static void send_request(struct redis_conn *conn, struct redis_request *request)
{
	struct strview command = strbuf_view(&conn->out);
	bool has_room = conn->in_flight.n < REDIS_MAX_IN_FLIGHT &&
			conn->in_flight_bytes + command.len <= REDIS_MAX_IN_FLIGHT_BYTES;
	if (conn->hiredis == NULL || !has_room ||
		redisAsyncFormattedCommand(
			conn->hiredis, on_reply, NULL, command.ptr, command.len) != REDIS_OK) {
		end_without_reply(conn, request, REDIS_UNAVAILABLE);
		return;
	}
	request->size_bytes = command.len;
	conn->in_flight_bytes += command.len;
	redis_requests_push(&conn->in_flight, request);
	if (conn->state == REDIS_CONN_UP && request->deadline_ms < conn->timer_due_ms) {
		int64_t left_ms = request->deadline_ms - clock_mono_ms();
		conn->timer_due_ms = request->deadline_ms;
		loop_timer_arm(conn->timer, left_ms > 0 ? left_ms : 0);
	}
}

static void send_command(struct redis_conn *conn, int argc, const struct strview *argv,
	int64_t deadline_ms, redis_done_fn fn, void *ctx)
{
	redis_format_command(&conn->out, argc, argv);
	send_request(conn, redis_request_new(fn, ctx, deadline_ms));
}

/* --- receiving --- */

static bool starts_with(const redisReply *reply, const char *word)
{
	return reply->type == REDIS_REPLY_ERROR &&
	       sv_starts_with(sv_make(reply->str, (size_t)reply->len), word);
}

static void on_reply(redisAsyncContext *hiredis, void *hiredis_reply, void *privdata)
{
	struct redis_conn *conn = hiredis->data;
	const redisReply *reply = hiredis_reply;
	(void)privdata;
	if (conn == NULL || reply == NULL) /* being torn down */
		return;
	struct redis_request *request = pop_in_flight(conn);
	ASSERT(request != NULL);
	conn->heard_ms = clock_mono_ms();
	if (request->script != NULL && starts_with(reply, "NOSCRIPT")) {
		redis_format_eval(&conn->out, request);
		request->script = NULL;
		send_request(conn, request);
		return;
	}
	bool is_freed = false;
	bool *outer_is_freed = conn->is_freed;
	conn->is_freed = &is_freed;
	bool is_refused = reply->type == REDIS_REPLY_ERROR;
	if (request->fn != NULL)
		request->fn(request->ctx, is_refused ? REDIS_REFUSED : REDIS_OK,
			(const struct redis_reply *)reply);
	redis_request_free(request);
	if (is_freed)
		return;
	conn->is_freed = outer_is_freed;
	if (starts_with(reply, "READONLY") && conn->hiredis == hiredis)
		drop_because(conn, "this Redis is a replica", reply->str);
}

static void on_connect(const redisAsyncContext *hiredis, int status)
{
	struct redis_conn *conn = hiredis->data;
	if (conn == NULL)
		return;
	if (status == REDIS_OK) {
		redis_conn_set_state(conn, REDIS_CONN_GREETING);
		return;
	}
	conn->hiredis->data = NULL;
	conn->hiredis = NULL; /* hiredis frees it after this */
	drop_because(conn, "cannot connect", hiredis->c.errstr);
}

static void on_disconnect(const redisAsyncContext *hiredis, int status)
{
	struct redis_conn *conn = hiredis->data;
	(void)status;
	if (conn == NULL)
		return;
	conn->hiredis->data = NULL;
	conn->hiredis = NULL; /* hiredis frees it after this */
	drop_because(conn, "connection lost", hiredis->errstr != NULL ? hiredis->errstr : "closed");
}

/* --- connecting --- */

static void on_greeting_step(void *ctx, enum redis_status status, const struct redis_reply *reply)
{
	struct redis_conn *conn = ctx;
	if (status != REDIS_REFUSED || conn->state != REDIS_CONN_GREETING)
		return;
	/* Only the first word, e.g. WRONGPASS: some servers quote the arguments of what they
	 * refuse. */
	struct strview text = redis_reply_string(reply);
	struct strview word;
	struct err why;
	(void)sv_split(&text, ' ', &word);
	(void)err_set(&why, "Redis refused AUTH, SELECT or PING: %.*s", SV_ARG(word));
	redis_conn_drop(conn, &why);
}

static void on_greeted(void *ctx, enum redis_status status, const struct redis_reply *reply)
{
	struct redis_conn *conn = ctx;
	if (status != REDIS_OK || conn->state != REDIS_CONN_GREETING) {
		on_greeting_step(ctx, status, reply);
		return;
	}
	redis_conn_set_state(conn, REDIS_CONN_UP);
	conn->why.text[0] = '\0';
	conn->up_since_ms = clock_mono_ms();
	conn->timer_due_ms = conn->up_since_ms + PING_IDLE_MS;
	loop_timer_arm(conn->timer, PING_IDLE_MS);
	loop_turn_request(conn->turn); /* tells it */
}

/* hiredis sends this as soon as it is connected. */
static void greet(struct redis_conn *conn)
{
	struct strbuf db = STRBUF_INIT;
	strbuf_printf(&db, "%d", conn->url.db);
	struct strview user = sv_from(conn->url.user);
	struct strview password = sv_from(conn->url.password);
	if (conn->url.user != NULL)
		send_command(conn, 3, (struct strview[]){SV_LIT("AUTH"), user, password}, INT64_MAX,
			on_greeting_step, conn);
	else if (conn->url.password != NULL)
		send_command(conn, 2, (struct strview[]){SV_LIT("AUTH"), password}, INT64_MAX,
			on_greeting_step, conn);
	if (conn->url.db != 0)
		send_command(conn, 2, (struct strview[]){SV_LIT("SELECT"), strbuf_view(&db)},
			INT64_MAX, on_greeting_step, conn);
	send_command(conn, 1, (struct strview[]){SV_LIT("PING")}, INT64_MAX, on_greeted, conn);
	strbuf_deinit(&db);
	mem_wipe(conn->out.data, conn->out.cap);
}

static void set_socket_options(int fd)
{
	static const struct {
		int level, name, value;
	} options[] = {
		{SOL_SOCKET, SO_KEEPALIVE, 1},
		{IPPROTO_TCP, TCP_KEEPIDLE, 10},
		{IPPROTO_TCP, TCP_KEEPINTVL, 3},
		{IPPROTO_TCP, TCP_KEEPCNT, 3},
		{IPPROTO_TCP, TCP_USER_TIMEOUT, 10000},
		{IPPROTO_TCP, TCP_NODELAY, 1},
	};
	for (size_t i = 0; i < array_len(options); i++)
		(void)setsockopt(fd, options[i].level, options[i].name, &options[i].value,
			sizeof(options[i].value));
}

static void redis_conn_connect(struct redis_conn *conn, const char *address)
{
	redis_conn_set_state(conn, REDIS_CONN_CONNECTING);
	loop_timer_arm(conn->timer, CONNECT_TIMEOUT_MS);
	redisAsyncContext *hiredis = redisAsyncConnect(address, conn->url.port);
	ASSERT(hiredis != NULL); /* only without memory */
	if (hiredis->err != 0) {
		struct err why;
		(void)err_set(&why, "cannot connect: %s", hiredis->errstr);
		redisAsyncFree(hiredis);
		redis_conn_drop(conn, &why);
		return;
	}
	conn->hiredis = hiredis;
	hiredis->data = conn;
	set_socket_options(hiredis->c.fd);
	ASSERT(redisLibeventAttach(hiredis, loop_base(conn->loop)) == REDIS_OK);
	(void)redisAsyncSetConnectCallback(hiredis, on_connect);
	(void)redisAsyncSetDisconnectCallback(hiredis, on_disconnect);
	greet(conn);
}

static void on_resolved(void *ctx, const struct resolve_answer *answer)
{
	struct redis_conn *conn = ctx;
	conn->resolve = NULL;
	if (answer->n == 0)
		redis_conn_drop(conn, &answer->err);
	else
		redis_conn_connect(conn, answer->addresses[conn->n_tries++ % (unsigned)answer->n]);
}

/* --- time --- */

static void check_time(struct redis_conn *conn)
{
	int64_t now_ms = clock_mono_ms();
	const struct redis_request *urgent = redis_requests_most_urgent(&conn->in_flight);
	if (urgent != NULL && urgent->deadline_ms <= now_ms) {
		struct err why;
		(void)err_set(&why, "no answer from Redis within the deadline (%d in flight)",
			conn->in_flight.n);
		redis_conn_drop(conn, &why);
		return;
	}
	conn->timer_due_ms = urgent != NULL ? urgent->deadline_ms : conn->heard_ms + PING_IDLE_MS;
	if (urgent == NULL && conn->timer_due_ms <= now_ms) {
		conn->timer_due_ms = INT64_MAX; /* the PING sets it */
		send_command(conn, 1, (struct strview[]){SV_LIT("PING")}, now_ms + PING_TIMEOUT_MS,
			NULL, NULL);
		return;
	}
	loop_timer_arm(conn->timer, conn->timer_due_ms - now_ms);
}

static void on_timer(void *ctx)
{
	struct redis_conn *conn = ctx;
	switch (conn->state) {
	case REDIS_CONN_RESTING:
		if (resolve_is_numeric(conn->url.host)) {
			redis_conn_connect(conn, conn->url.host);
			return;
		}
		redis_conn_set_state(conn, REDIS_CONN_RESOLVING);
		conn->resolve = resolve_start(
			conn->loop, conn->url.host, CONNECT_TIMEOUT_MS, on_resolved, conn);
		return;
	case REDIS_CONN_RESOLVING:
		WRONG("resolve has the timer");
	case REDIS_CONN_CONNECTING:
		drop_because(conn, "cannot connect", "timed out");
		return;
	case REDIS_CONN_GREETING:
		drop_because(conn, "no answer from Redis", "timed out");
		return;
	case REDIS_CONN_UP:
		check_time(conn);
		return;
	}
}

/* --- the contract --- */

struct redis_conn *redis_conn_new(
	struct loop *loop, const char *url, redis_change_fn on_change, void *ctx, struct err *err)
{
	struct pool *pool = pool_new();
	struct redis_url parsed;
	if (redis_url_parse(sv_from(url), pool, &parsed, err) != 0) {
		pool_free(&pool);
		return NULL;
	}
	/* hiredis uses write(2): a peer that hangs up must not kill us. */
	(void)signal(SIGPIPE, SIG_IGN);
	struct redis_conn *conn = mem_new(struct redis_conn);
	conn->loop = loop;
	conn->pool = pool;
	conn->url = parsed;
	conn->on_change = on_change;
	conn->ctx = ctx;
	conn->timer = loop_timer_new(loop, "redis_conn", on_timer, conn);
	conn->turn = loop_turn_new(loop, "redis_conn", on_turn, conn);
	backoff_init(&conn->backoff, BACKOFF_BASE_MS, BACKOFF_MAX_MS);
	loop_timer_arm(conn->timer, 0);
	return conn;
}

void redis_conn_free(struct redis_conn **conn)
{
	struct redis_conn *old = *conn;
	if (old == NULL)
		return;
	*conn = NULL;
	if (old->is_freed != NULL)
		*old->is_freed = true;
	resolve_cancel(&old->resolve);
	if (old->hiredis != NULL) {
		old->hiredis->data = NULL;
		redisAsyncFree(old->hiredis);
	}
	redis_requests_clear(&old->in_flight);
	redis_requests_clear(&old->ended);
	loop_timer_free(&old->timer);
	loop_turn_free(&old->turn);
	strbuf_deinit(&old->out);
	pool_free(&old->pool);
	mem_free(old);
}

bool redis_conn_is_up(const struct redis_conn *conn)
{
	return conn->state == REDIS_CONN_UP;
}

void redis_conn_command(struct redis_conn *conn, int argc, const struct strview *argv,
	int64_t deadline_ms, redis_done_fn fn, void *ctx)
{
	ASSERT(argc > 0 && deadline_ms > 0);
	int64_t due_ms = clock_mono_ms() + deadline_ms;
	if (conn->state == REDIS_CONN_UP)
		send_command(conn, argc, argv, due_ms, fn, ctx);
	else
		end_without_reply(conn, redis_request_new(fn, ctx, due_ms), REDIS_UNAVAILABLE);
}

void redis_conn_script(struct redis_conn *conn, struct redis_script *script, int n_keys, int argc,
	const struct strview *argv, int64_t deadline_ms, redis_done_fn fn, void *ctx)
{
	ASSERT(n_keys >= 0 && n_keys <= argc && deadline_ms > 0);
	struct redis_request *request = redis_request_new(fn, ctx, clock_mono_ms() + deadline_ms);
	if (conn->state != REDIS_CONN_UP) {
		end_without_reply(conn, request, REDIS_UNAVAILABLE);
		return;
	}
	redis_format_evalsha(&conn->out, request, script, n_keys, argc, argv);
	send_request(conn, request);
}

void redis_conn_forget(struct redis_conn *conn, const void *ctx)
{
	redis_requests_forget(&conn->in_flight, ctx);
	redis_requests_forget(&conn->ended, ctx);
}
