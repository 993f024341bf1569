/* The generation key, and which run of Redis it is, every second. */
#include "services/webhooker/generation_watch.h"

#include "common/base/digest.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/rng.h"
#include "common/io/redis_info.h"
#include "common/model/stream_codec.h"

#define LOOK_MS          1000
#define COMMAND_MS       2000
#define GENERATION_BYTES 16

struct generation_watch {
	struct redis_conn *conn;
	struct loop_timer *timer;
	void (*on_lost)(void *ctx);
	void *ctx;
	struct strbuf known; /* the key's value and the run's id; empty: none yet */
	struct strbuf run;   /* empty when it may not be asked for */
	bool is_asking;
};

static void take(struct generation_watch *watch, struct strview key)
{
	bool is_first = watch->known.len == 0;
	struct strbuf found = STRBUF_INIT;
	bool is_known;

	strbuf_append_sv(&found, key);
	strbuf_append_char(&found, '/');
	strbuf_append_sv(&found, strbuf_view(&watch->run));
	is_known = sv_eq(strbuf_view(&watch->known), strbuf_view(&found));
	strbuf_deinit(&watch->known);
	watch->known = found;
	if (is_first || is_known)
		return;
	log_warn("generation_changed");
	watch->on_lost(watch->ctx);
}

static void on_set(void *ctx, enum redis_status status, const struct redis_reply *reply)
{
	struct generation_watch *watch = ctx;

	(void)status;
	(void)reply; /* whoever was first: the next look tells what stands there */
	watch->is_asking = false;
}

static void put_new(struct generation_watch *watch)
{
	uint8_t random[GENERATION_BYTES];
	struct strbuf value = STRBUF_INIT;

	rng_bytes(random, sizeof(random));
	hex_encode(random, sizeof(random), &value);
	struct strview argv[] = {
		SV_LIT("SET"), SV_LIT(STREAM_GENERATION_KEY), strbuf_view(&value), SV_LIT("NX")};
	redis_conn_command(watch->conn, (int)array_len(argv), argv, COMMAND_MS, on_set, watch);
	strbuf_deinit(&value);
}

static void on_info(void *ctx, enum redis_status status, const struct redis_reply *reply)
{
	struct generation_watch *watch = ctx;

	if (status != REDIS_OK)
		return;
	strbuf_reset(&watch->run);
	strbuf_append_sv(&watch->run, redis_info_find(redis_reply_string(reply), "run_id"));
}

static void on_got(void *ctx, enum redis_status status, const struct redis_reply *reply)
{
	struct generation_watch *watch = ctx;

	if (status == REDIS_OK && redis_reply_kind(reply) == REDIS_NIL) {
		put_new(watch);
		return;
	}
	watch->is_asking = false;
	if (status == REDIS_OK && redis_reply_kind(reply) == REDIS_STRING)
		take(watch, redis_reply_string(reply));
}

static void on_timer(void *ctx)
{
	struct generation_watch *watch = ctx;
	struct strview info[] = {SV_LIT("INFO"), SV_LIT("server")};
	struct strview argv[] = {SV_LIT("GET"), SV_LIT(STREAM_GENERATION_KEY)};

	loop_timer_arm(watch->timer, LOOK_MS);
	if (watch->is_asking)
		return;
	watch->is_asking = true;
	redis_conn_command(watch->conn, (int)array_len(info), info, COMMAND_MS, on_info, watch);
	redis_conn_command(watch->conn, (int)array_len(argv), argv, COMMAND_MS, on_got, watch);
}

struct generation_watch *generation_watch_new(
	struct loop *loop, struct redis_conn *conn, void (*on_lost)(void *ctx), void *ctx)
{
	struct generation_watch *watch = mem_new(struct generation_watch);

	watch->conn = conn;
	watch->on_lost = on_lost;
	watch->ctx = ctx;
	watch->timer = loop_timer_new(loop, "generation", on_timer, watch);
	loop_timer_arm(watch->timer, 0);
	return watch;
}

void generation_watch_free(struct generation_watch **watch)
{
	if (*watch == NULL)
		return;
	loop_timer_free(&(*watch)->timer);
	strbuf_deinit(&(*watch)->known);
	strbuf_deinit(&(*watch)->run);
	mem_free(*watch);
	*watch = NULL;
}
