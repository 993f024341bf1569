/* INFO and GET, and SET NX when there is none; whoever comes first, all read the same value
 * afterwards. */
#include "services/sender/generation.h"

#include <stdio.h>

#include "common/base/attr.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/rng.h"
#include "common/io/redis_info.h"
#include "common/model/stream_codec.h"

#define LOOK_MS     1000
#define SETTLE_MS   100
#define DEADLINE_MS 1000

struct generation {
	struct redis_conn *redis;
	struct loop_timer *timer;
	loop_fn on_lost;
	void *ctx;
	bool is_looking;
	bool is_known;
	char run[48]; /* the run_id that the last INFO told; empty when it may not be asked for */
	char value[96];
};

static void look(void *ctx);

struct generation *generation_new(
	struct loop *loop, struct redis_conn *redis, loop_fn on_lost, void *ctx)
{
	struct generation *generation = mem_new(struct generation);
	generation->redis = redis;
	generation->on_lost = on_lost;
	generation->ctx = ctx;
	generation->timer = loop_timer_new(loop, "generation", look, generation);
	loop_timer_arm(generation->timer, 0);
	return generation;
}

void generation_free(struct generation **generation)
{
	if (*generation == NULL) {
		return;
	}
	redis_conn_forget((*generation)->redis, *generation);
	loop_timer_free(&(*generation)->timer);
	mem_free(*generation);
	*generation = NULL;
}

static void take(struct generation *generation, struct strview value)
{
	char seen[sizeof(generation->value)];
	(void)snprintf(seen, sizeof(seen), "%.*s/%s", SV_ARG(value), generation->run);
	if (generation->is_known && sv_eq_cstr(sv_from(seen), generation->value)) {
		return;
	}
	bool was_known = generation->is_known;
	generation->is_known = true;
	(void)snprintf(generation->value, sizeof(generation->value), "%s", seen);
	if (was_known) {
		log_warn("generation_lost", log_text("now", seen));
		generation->on_lost(generation->ctx);
	}
}

static void put_new(struct generation *generation)
{
	char value[32];
	(void)snprintf(value, sizeof(value), "%016llx", (unsigned long long)rng_u64());
	struct strview argv[] = {
		SV_LIT("SET"), SV_LIT(STREAM_GENERATION_KEY), sv_from(value), SV_LIT("NX")};
	redis_conn_command(generation->redis, (int)array_len(argv), argv, DEADLINE_MS, NULL, NULL);
	loop_timer_arm(generation->timer, SETTLE_MS); /* and see whose it became */
}

static void on_info(void *ctx, enum redis_status status, const struct redis_reply *reply)
{
	struct generation *generation = ctx;
	if (status != REDIS_OK) {
		return;
	}
	struct strview run = redis_info_find(redis_reply_string(reply), "run_id");
	(void)snprintf(generation->run, sizeof(generation->run), "%.*s", SV_ARG(run));
}

static void on_reply(void *ctx, enum redis_status status, const struct redis_reply *reply)
{
	struct generation *generation = ctx;
	generation->is_looking = false;
	loop_timer_arm(generation->timer, LOOK_MS);
	if (status != REDIS_OK) {
		return;
	}
	if (redis_reply_kind(reply) == REDIS_NIL) {
		put_new(generation);
	} else {
		take(generation, redis_reply_string(reply));
	}
}

static void look(void *ctx)
{
	struct generation *generation = ctx;
	if (generation->is_looking) {
		return;
	}
	generation->is_looking = true;
	struct strview info[] = {SV_LIT("INFO"), SV_LIT("server")};
	redis_conn_command(
		generation->redis, (int)array_len(info), info, DEADLINE_MS, on_info, generation);
	struct strview argv[] = {SV_LIT("GET"), SV_LIT(STREAM_GENERATION_KEY)};
	redis_conn_command(
		generation->redis, (int)array_len(argv), argv, DEADLINE_MS, on_reply, generation);
}

void generation_look(struct generation *generation)
{
	look(generation);
}
