/*
 * Any database URL ends in parameters for libpq or in an error that does not quote it; hosts,
 * addresses and ports come out in lists of one length, as libpq wants them. Names are looked up by
 * a stand-in: what a name stands for is a matter of its length.
 */
#include <arpa/inet.h>
#include <string.h>

#include <event2/event.h>

#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/base/pool.h"
#include "common/io/pg_target.h"
#include "common/io/resolve.h"
#include "tests/fuzz/fuzz.h"

#define MAX_ROUNDS 10000

static struct loop *loop;
static int n_ends;

/* --- in the place of resolve.c --- */

struct resolve {
	struct loop_timer *timer;
	size_t n_addresses;
	resolve_fn fn;
	void *ctx;
};

bool resolve_is_numeric(const char *host)
{
	struct in6_addr address;
	return inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1;
}

void resolve_cancel(struct resolve **resolve)
{
	if (*resolve == NULL)
		return;
	loop_timer_free(&(*resolve)->timer);
	mem_free(*resolve);
	*resolve = NULL;
}

static void on_answer(void *ctx)
{
	struct resolve *resolve = ctx;
	struct resolve_answer answer = {.n = (int)resolve->n_addresses};
	resolve_fn fn = resolve->fn;
	void *fn_ctx = resolve->ctx;

	for (int i = 0; i < answer.n; i++)
		memcpy(answer.addresses[i], "192.0.2.1", sizeof("192.0.2.1"));
	if (answer.n == 0)
		(void)err_set(&answer.err, "no such name");
	resolve_cancel(&resolve);
	fn(fn_ctx, &answer);
}

struct resolve *resolve_start(
	struct loop *its_loop, const char *host, int64_t timeout_ms, resolve_fn fn, void *ctx)
{
	struct resolve *resolve = mem_new(struct resolve);

	(void)timeout_ms;
	ASSERT(host[0] != '\0');
	resolve->n_addresses = strlen(host) % 4;
	resolve->fn = fn;
	resolve->ctx = ctx;
	resolve->timer = loop_timer_new(its_loop, "resolve", on_answer, resolve);
	loop_timer_arm(resolve->timer, 0);
	return resolve;
}

/* --- the target --- */

static size_t n_parts(const char *list)
{
	size_t n = 1;
	for (; *list != '\0'; list++)
		n += *list == ',';
	return n;
}

static void on_target(
	void *ctx, const char *const *keys, const char *const *values, const struct err *err)
{
	const char *hosts = NULL, *addresses = NULL, *ports = NULL;

	const char *url = ctx;

	n_ends++;
	if (err != NULL) {
		ASSERT(keys == NULL && values == NULL && err->text[0] != '\0');
		ASSERT(strstr(err->text, "QQQQsecretQQQQ") == NULL);
		return;
	}
	for (int i = 0; keys[i] != NULL; i++) {
		ASSERT(values[i] != NULL);
		hosts = strcmp(keys[i], "host") == 0 ? values[i] : hosts;
		addresses = strcmp(keys[i], "hostaddr") == 0 ? values[i] : addresses;
		ports = strcmp(keys[i], "port") == 0 ? values[i] : ports;
	}
	/* Who gives addresses is taken at their word. */
	if (hosts == NULL || hosts[0] == '\0' || strstr(url, "hostaddr") != NULL)
		return;
	ASSERT(addresses != NULL && ports != NULL);
	ASSERT(n_parts(hosts) == n_parts(addresses) && n_parts(hosts) == n_parts(ports));
}

static void run(const char *url, bool is_cancelled)
{
	struct pg_conn_options options = {
		.url = url, .app_name = "fuzz", .connect_timeout_ms = 1000};
	struct pool *pool = pool_new();
	struct pg_target *target =
		pg_target_start(loop, &options, on_target, pool_strdup(pool, url));

	n_ends = 0;
	if (is_cancelled) {
		pg_target_cancel(&target);
		ASSERT(target == NULL);
	}
	for (int i = 0; !is_cancelled && i < MAX_ROUNDS && n_ends == 0; i++)
		ASSERT(event_base_loop(loop_base(loop), EVLOOP_NONBLOCK) >= 0);
	ASSERT(n_ends == (is_cancelled ? 0 : 1));
	pool_free(&pool);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
	struct pool *pool = pool_new();

	if (loop == NULL)
		loop = loop_new();
	const char *rest = pool_sv_cstr(pool, sv_make(data, size_bytes));
	run(rest, size_bytes % 16 == 5);
	run(pool_printf(pool, "postgresql://wa:QQQQsecretQQQQ@%s", rest), false);
	pool_free(&pool);
	return 0;
}
