/* How the process is: health and figures. */
#include "services/webhooker/webhooker.h"

#include "common/base/check.h"
#include "common/base/clock.h"

void webhooker_on_postgres_change(void *ctx, bool up, const struct err *err)
{
	struct webhooker *webhooker = ctx;
	bool is_up =
		webhooker_store_is_up(webhooker->store) && pg_conn_is_up(webhooker->lease_conn);

	if (is_up || !up)
		health_part_set(webhooker->health_postgres, is_up, err);
	loop_turn_request(webhooker->pump_turn);
}

static void look_at_redis(struct webhooker *webhooker, const struct err *err)
{
	health_part_set(webhooker->health_redis,
		webhooker->is_reader_up && redis_conn_is_up(webhooker->redis), err);
}

void webhooker_on_reader_change(void *ctx, bool up, const struct err *err)
{
	struct webhooker *webhooker = ctx;

	webhooker->is_reader_up = up;
	look_at_redis(webhooker, err);
}

void webhooker_on_redis_change(void *ctx, bool up, const struct err *err)
{
	(void)up;
	look_at_redis(ctx, err);
}

void webhooker_on_health_timer(void *ctx)
{
	struct webhooker *webhooker = ctx;
	struct err err;

	(void)err_set(&err, "no heartbeat was answered lately");
	health_part_set(
		webhooker->health_leases, partition_owner_is_healthy(webhooker->owner), &err);
	loop_timer_arm(webhooker->health_timer, WEBHOOKER_HEALTH_EVERY_MS);
	/* What waits for Postgres to come back is looked at from here at the latest. */
	loop_turn_request(webhooker->pump_turn);
}

double webhooker_gauge_value(void *ctx, enum webhooker_gauge which)
{
	struct webhooker *webhooker = ctx;
	struct delivery_queue_figures figures = delivery_queue_figures(webhooker->queue);
	int64_t oldest_wall_ms = open_sweep_oldest_wall_ms(webhooker->sweep);
	int64_t partitions[EVENT_PARTITIONS];

	switch (which) {
	case GAUGE_IN_FLIGHT:
		return figures.n_sending;
	case GAUGE_QUEUED:
		return figures.n_deliveries;
	case GAUGE_ENDPOINTS:
		return figures.n_outlets;
	case GAUGE_ENDPOINTS_FAILING:
		return figures.n_failing;
	case GAUGE_OLDEST_OPEN_SECONDS:
		return oldest_wall_ms < 0 ? 0 : (double)(clock_wall_ms() - oldest_wall_ms) / 1000;
	case GAUGE_PARTITIONS:
		return partition_owner_list(webhooker->owner, partitions);
	case GAUGE_ENTRIES:
		return (double)event_intake_count(webhooker->intake);
	case GAUGE_SET_ASIDE:
		return (double)(event_intake_set_aside_count(webhooker->intake) +
				delivery_trial_set_aside_count(webhooker->trial));
	case GAUGE_STALE:
		return (double)delivery_prepare_stale_count(webhooker->prepare);
	case GAUGE_REFUSED:
		return (double)delivery_record_refused_count(webhooker->record);
	case GAUGE_CLOSED:
		return (double)endpoint_close_count(webhooker->close);
	case GAUGE_COUNT:
		break;
	}
	WRONG("a gauge of no kind");
}
