/* One endpoint after another, one statement at a time. */
#include "services/webhooker/endpoint_close.h"

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/model/partition.h"

#define CLOSE_BATCH    1000
#define MAX_WANTED     1024 /* more come again with the next sweep of what is open */
#define CLOSE_AGAIN_MS 1000

struct endpoint_close {
	struct endpoint_close_options options;
	struct loop_timer *timer;
	int32_t wanted[MAX_WANTED]; /* the first one is being closed */
	int n_wanted;
	bool is_closing;
	int64_t n_closed;
};

static void drop_first(struct endpoint_close *close)
{
	close->n_wanted--;
	for (int i = 0; i < close->n_wanted; i++)
		close->wanted[i] = close->wanted[i + 1];
}

static void on_closed(void *ctx, const struct pg_result *result)
{
	struct endpoint_close *close = ctx;

	close->is_closing = false;
	if (pg_status(result) != PG_OK) {
		log_warn("endpoint_close", log_int("webhook", close->wanted[0]),
			log_text("status", pg_status_name(pg_status(result))),
			log_err(pg_err(result)));
		loop_timer_arm(close->timer, CLOSE_AGAIN_MS);
		return;
	}
	int64_t n = pg_affected(result);
	close->n_closed += n;
	if (n > 0)
		log_info("endpoint_close", log_int("webhook", close->wanted[0]),
			log_int("deliveries", n));
	if (n < CLOSE_BATCH)
		drop_first(close);
	loop_timer_arm(close->timer, 0);
}

static void on_timer(void *ctx)
{
	struct endpoint_close *close = ctx;
	int64_t partitions[EVENT_PARTITIONS];

	if (close->is_closing || close->n_wanted == 0)
		return;
	int n = close->options.partitions(close->options.ctx, partitions);
	close->is_closing = true;
	store_endpoint_close(close->options.store, close->wanted[0], partitions, n, CLOSE_BATCH,
		on_closed, close);
}

void endpoint_close_want(struct endpoint_close *close, int32_t webhook_id)
{
	/* The one that is being closed may have been read before this came: it is wanted once more.
	 */
	for (int i = close->is_closing; i < close->n_wanted; i++) {
		if (close->wanted[i] == webhook_id)
			return;
	}
	if (close->n_wanted == MAX_WANTED)
		return;
	close->wanted[close->n_wanted++] = webhook_id;
	if (!close->is_closing && !loop_timer_is_armed(close->timer))
		loop_timer_arm(close->timer, 0);
}

int64_t endpoint_close_count(const struct endpoint_close *close)
{
	return close->n_closed;
}

struct endpoint_close *endpoint_close_new(const struct endpoint_close_options *options)
{
	struct endpoint_close *close = mem_new(struct endpoint_close);

	close->options = *options;
	close->timer = loop_timer_new(options->loop, "endpoint_close", on_timer, close);
	return close;
}

void endpoint_close_free(struct endpoint_close **close)
{
	if (*close == NULL)
		return;
	loop_timer_free(&(*close)->timer);
	mem_free(*close);
	*close = NULL;
}
