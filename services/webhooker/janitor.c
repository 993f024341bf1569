/* Day partitions and idempotency keys. */
#include "services/webhooker/janitor.h"

#include "common/base/log.h"
#include "common/base/mem.h"

#define KEYS_BATCH    1000
#define KEYS_EVERY_MS 1000
#define AGAIN_MS      10000 /* after a failure */

struct janitor {
	struct webhooker_store *store;
	int keep_days;
	struct loop_timer *timer;
	bool is_on_duty;
	bool is_working;
	bool has_more_keys; /* the last batch of keys was full */
};

static bool has_failed(struct janitor *janitor, const char *at, const struct pg_result *result)
{
	janitor->is_working = false;
	if (pg_status(result) == PG_OK)
		return false;
	log_warn(
		at, log_text("status", pg_status_name(pg_status(result))), log_err(pg_err(result)));
	loop_timer_arm(janitor->timer, AGAIN_MS);
	return true;
}

static void on_forgotten(void *ctx, const struct pg_result *result)
{
	struct janitor *janitor = ctx;

	if (has_failed(janitor, "janitor_keys", result))
		return;
	if (pg_affected(result) > 0)
		log_info("janitor_keys", log_int("deleted", pg_affected(result)));
	janitor->has_more_keys = pg_affected(result) == KEYS_BATCH;
	loop_timer_arm(janitor->timer, janitor->has_more_keys ? KEYS_EVERY_MS : JANITOR_EVERY_MS);
}

static void forget_keys(struct janitor *janitor)
{
	janitor->is_working = true;
	store_forget_keys(janitor->store, JANITOR_KEY_HOURS, KEYS_BATCH, on_forgotten, janitor);
}

static void on_kept(void *ctx, const struct pg_result *result)
{
	struct janitor *janitor = ctx;

	if (!has_failed(janitor, "janitor_days", result))
		forget_keys(janitor);
}

static void on_timer(void *ctx)
{
	struct janitor *janitor = ctx;

	if (!janitor->is_on_duty || janitor->is_working)
		return;
	if (janitor->has_more_keys) {
		forget_keys(janitor);
		return;
	}
	janitor->is_working = true;
	store_keep_day_partitions(janitor->store, janitor->keep_days, on_kept, janitor);
}

void janitor_set_on_duty(struct janitor *janitor, bool on_duty)
{
	if (on_duty && !janitor->is_on_duty)
		loop_timer_arm(janitor->timer, 0);
	janitor->is_on_duty = on_duty;
}

struct janitor *janitor_new(struct loop *loop, struct webhooker_store *store, int keep_days)
{
	struct janitor *janitor = mem_new(struct janitor);

	janitor->store = store;
	janitor->keep_days = keep_days;
	janitor->timer = loop_timer_new(loop, "janitor", on_timer, janitor);
	return janitor;
}

void janitor_free(struct janitor **janitor)
{
	if (*janitor == NULL)
		return;
	loop_timer_free(&(*janitor)->timer);
	mem_free(*janitor);
	*janitor = NULL;
}
