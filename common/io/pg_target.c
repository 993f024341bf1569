#include "common/io/pg_target.h"

#include <string.h>

#include <libpq-fe.h>

#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/base/strbuf.h"
#include "common/io/resolve.h"

#define MAX_PARAMS 96 /* libpq knows about half as many */

struct pg_target {
	struct loop *loop;
	int64_t timeout_ms;
	pg_target_fn fn;
	void *ctx;
	struct pool *pool;
	struct loop_timer *timer; /* begins the work outside of pg_target_start() */
	struct resolve *resolve;
	int n;
	const char *keys[MAX_PARAMS + 1]; /* ends with NULL, as libpq wants it */
	const char *values[MAX_PARAMS + 1];
	struct strview hosts_left; /* "a,b,c" */
	struct strview ports_left; /* none, one for all, or one for each */
	struct strview port;       /* of the host whose turn it is */
	bool has_hosts;
	int n_hosts; /* put into these lists, which libpq wants to be of the same length: */
	struct strbuf hosts, addresses, ports;
	struct err why_not; /* why the last lookup failed */
};

static void set_param(struct pg_target *target, const char *key, const char *value)
{
	int at = 0;
	while (at < target->n && strcmp(target->keys[at], key) != 0)
		at++;
	ASSERT(at < MAX_PARAMS);
	target->keys[at] = key;
	target->values[at] = value;
	if (at == target->n)
		target->n++;
}

static const char *get_param(const struct pg_target *target, const char *key)
{
	for (int i = 0; i < target->n; i++) {
		if (strcmp(target->keys[i], key) == 0)
			return target->values[i];
	}
	return NULL;
}

static void set_default(struct pg_target *target, const char *key, const char *value)
{
	if (get_param(target, key) == NULL)
		set_param(target, key, value);
}

/*
 * A plan that is kept must fit full tables, though it may be made while they are empty: without
 * scans and without the joins that read a table whole, what is left is probing an index for each
 * row. (Postgres's "off" is a price, not a ban: what has no index still works.)
 */
static void plan_once(struct pg_target *target)
{
	const char *given = get_param(target, "options");

	set_param(target, "options",
		pool_printf(target->pool,
			"%s -c plan_cache_mode=force_generic_plan -c enable_seqscan=off"
			" -c enable_hashjoin=off -c enable_mergejoin=off",
			given != NULL ? given : ""));
}

/* False when libpq does not understand the URL. */
static bool parse_url(struct pg_target *target, const struct pg_conn_options *options)
{
	PQconninfoOption *given = PQconninfoParse(options->url, NULL);
	if (given == NULL)
		return false;
	for (const PQconninfoOption *option = given; option->keyword != NULL; option++) {
		if (option->val != NULL)
			set_param(target, pool_strdup(target->pool, option->keyword),
				pool_strdup(target->pool, option->val));
	}
	PQconninfoFree(given);
	if (options->app_name != NULL)
		set_default(
			target, "application_name", pool_strdup(target->pool, options->app_name));
	if (options->plan_once)
		plan_once(target);
	set_default(target, "client_encoding", "UTF8");
	set_default(
		target, "gssencmode", "disable"); /* it would ask for Kerberos tickets, blocking */
	set_default(target, "keepalives", "1");
	set_default(target, "keepalives_idle", "10");
	set_default(target, "keepalives_interval", "3");
	set_default(target, "keepalives_count", "3");
	set_default(target, "tcp_user_timeout", "10000");
	return true;
}

static void finish(struct pg_target *target, const struct err *err)
{
	pg_target_fn fn = target->fn;
	void *ctx = target->ctx;
	struct pool *pool = target->pool;
	struct err why =
		err != NULL ? *err : (struct err){.text = ""}; /* err may lie in the target */
	const char *keys[MAX_PARAMS + 1];
	const char *values[MAX_PARAMS + 1];
	if (target->n_hosts > 0) {
		set_param(target, "host", pool_strdup(pool, strbuf_cstr(&target->hosts)));
		set_param(target, "hostaddr", pool_strdup(pool, strbuf_cstr(&target->addresses)));
		set_param(target, "port", pool_strdup(pool, strbuf_cstr(&target->ports)));
	}
	memcpy(keys, target->keys, sizeof(keys));
	memcpy(values, target->values, sizeof(values));
	target->pool = NULL; /* outlives the target */
	pg_target_cancel(&target);
	if (err == NULL)
		fn(ctx, keys, values, NULL);
	else
		fn(ctx, NULL, NULL, &why);
	pool_free(&pool);
}

static void put_host(struct pg_target *target, const char *host, const char *address)
{
	if (target->n_hosts++ > 0) {
		strbuf_append_char(&target->hosts, ',');
		strbuf_append_char(&target->addresses, ',');
		strbuf_append_char(&target->ports, ',');
	}
	strbuf_append_cstr(&target->hosts, host);
	strbuf_append_cstr(&target->addresses, address);
	strbuf_append_sv(&target->ports, target->port);
}

static void look_up_hosts(struct pg_target *target);

static void on_resolved(void *ctx, const struct resolve_answer *answer)
{
	struct pg_target *target = ctx;
	target->resolve = NULL;
	struct strview name;
	(void)sv_split(&target->hosts_left, ',', &name);
	const char *host = pool_sv_cstr(target->pool, name);
	for (int i = 0; i < answer->n; i++)
		put_host(target, host, answer->addresses[i]);
	if (answer->n == 0)
		target->why_not = answer->err;
	look_up_hosts(target);
}

static bool is_name(const char *host)
{
	bool is_socket = host[0] == '/' || host[0] == '@';
	return host[0] != '\0' && !is_socket && !resolve_is_numeric(host);
}

/* Go on with the first of hosts_left. */
static void look_up_hosts(struct pg_target *target)
{
	struct strview rest = target->hosts_left;
	struct strview name;
	while (sv_split(&rest, ',', &name)) {
		const char *host = pool_sv_cstr(target->pool, name);
		/* A single port is for all hosts: the last part of the list is never taken off. */
		struct strview ports = target->ports_left;
		struct strview port;
		if (sv_split(&ports, ',', &port)) {
			target->port = port;
			if (!sv_is_null(ports))
				target->ports_left = ports;
		}
		if (is_name(host)) {
			target->resolve = resolve_start(
				target->loop, host, target->timeout_ms, on_resolved, target);
			return;
		}
		put_host(target, host, "");
		target->hosts_left = rest;
	}
	finish(target, target->has_hosts && target->n_hosts == 0 ? &target->why_not : NULL);
}

static void on_timer(void *ctx)
{
	struct pg_target *target = ctx;
	if (target->n == 0) {
		struct err err;
		/* libpq's own words would quote the URL, and with it the password. */
		(void)err_set(&err, "the database URL cannot be parsed");
		finish(target, &err);
		return;
	}
	const char *hosts = get_param(target, "host");
	const char *addresses = get_param(target, "hostaddr");
	if (hosts != NULL && hosts[0] != '\0' && (addresses == NULL || addresses[0] == '\0')) {
		target->has_hosts = true;
		target->hosts_left = sv_from(hosts);
		target->ports_left = sv_from(get_param(target, "port"));
	}
	look_up_hosts(target);
}

struct pg_target *pg_target_start(
	struct loop *loop, const struct pg_conn_options *options, pg_target_fn fn, void *ctx)
{
	struct pg_target *target = mem_new(struct pg_target);
	target->loop = loop;
	target->timeout_ms = options->connect_timeout_ms;
	target->fn = fn;
	target->ctx = ctx;
	target->pool = pool_new();
	target->timer = loop_timer_new(loop, "pg_target", on_timer, target);
	if (!parse_url(target, options))
		target->n = 0;
	loop_timer_arm(target->timer, 0);
	return target;
}

void pg_target_cancel(struct pg_target **target)
{
	struct pg_target *old = *target;
	if (old == NULL)
		return;
	*target = NULL;
	resolve_cancel(&old->resolve);
	loop_timer_free(&old->timer);
	strbuf_deinit(&old->hosts);
	strbuf_deinit(&old->addresses);
	strbuf_deinit(&old->ports);
	pool_free(&old->pool);
	mem_free(old);
}
