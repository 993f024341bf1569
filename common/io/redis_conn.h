/*
 * One connection to Redis (hiredis async) that connects and reconnects by itself, with a timer per
 * command. Commands given in one loop turn leave in one write. A command past its deadline is
 * REDIS_UNKNOWN and the connection is dropped. An idle connection is tried by a PING. One that
 * answers READONLY (its server became a replica) is dropped, so that the address is asked again
 * where the master is.
 *
 * Callbacks come from the loop, never from within a call into this module; any of them may give
 * commands or free the redis_conn.
 */
#ifndef WA_IO_REDIS_CONN_H
#define WA_IO_REDIS_CONN_H

#include <stdbool.h>

#include "common/base/err.h"
#include "common/base/strview.h"
#include "common/io/loop.h"

struct redis_conn;

#define REDIS_MAX_IN_FLIGHT       65536
#define REDIS_MAX_IN_FLIGHT_BYTES ((size_t)16 * 1024 * 1024)

enum redis_status {
	REDIS_OK,
	REDIS_REFUSED,     /* an error reply; redis_reply_string() is its text: NOGROUP, OOM, … */
	REDIS_UNKNOWN,     /* broken or late after it was sent: it may or may not have been done */
	REDIS_UNAVAILABLE, /* never sent: no connection, or more than REDIS_MAX_IN_FLIGHT… wait */
};

/* A reply value: a view that lives until the callback returns. */
struct redis_reply;
enum redis_kind { REDIS_NIL, REDIS_STRING, REDIS_INT, REDIS_ARRAY, REDIS_ERROR };
const char *redis_status_name(enum redis_status status);
enum redis_kind redis_reply_kind(const struct redis_reply *reply); /* NULL counts as REDIS_NIL */
/* STRING, status or ERROR text; else SV_NULL */
struct strview redis_reply_string(const struct redis_reply *reply);
int64_t redis_reply_int(const struct redis_reply *reply); /* INT, else 0 */
int redis_reply_len(const struct redis_reply *reply);     /* ARRAY, else 0 */
const struct redis_reply *redis_reply_at(const struct redis_reply *reply, int index);

/* Called once for each command. reply is NULL unless status is OK or REFUSED. */
typedef void (*redis_done_fn)(void *ctx, enum redis_status status, const struct redis_reply *reply);
/* Each change of state, with the reason on the way down (also when the first attempt to connect
 * fails). */
typedef void (*redis_change_fn)(void *ctx, bool up, const struct err *err);

/* url: redis://[[user]:password@]host[:port][/db]; NULL with err when it is none. Copies are
 * made. */
struct redis_conn *redis_conn_new(
	struct loop *loop, const char *url, redis_change_fn on_change, void *ctx, struct err *err);
void redis_conn_free(struct redis_conn **conn); /* without calling the callbacks in flight */
bool redis_conn_is_up(const struct redis_conn *conn);
/* fn may be NULL. argv is copied. deadline_ms counts from now. */
void redis_conn_command(struct redis_conn *conn, int argc, const struct strview *argv,
	int64_t deadline_ms, redis_done_fn fn, void *ctx);
/* Commands given with this ctx end without their callbacks (their owner goes away before the
 * connection does). */
void redis_conn_forget(struct redis_conn *conn, const void *ctx);

/* A Lua script, run by EVALSHA, loaded again when Redis has forgotten it. argv: keys first. */
struct redis_script {
	const char *source; /* static */
	char sha[41];       /* filled in at first use; zero at first */
};
void redis_conn_script(struct redis_conn *conn, struct redis_script *script, int n_keys, int argc,
	const struct strview *argv, int64_t deadline_ms, redis_done_fn fn, void *ctx);

#endif
