/* The wheel: what may start is started, what has ended is given back; and the end of the process.
 */
#include "services/webhooker/webhooker.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/io/marked_step.h"

#define LEAVE_MS        1000 /* of the time to drain: for giving leases back */
#define RECORD_MS       1000 /* and for recording what ended last */
#define RAN_OUT_LOOK_MS 100

static int count_busy(const struct webhooker *webhooker)
{
	int n = 0;

	for (int p = 0; p < EVENT_PARTITIONS; p++)
		n += delivery_queue_busy(webhooker->queue, p);
	return n;
}

/*
 * A process that slept past its leases sends nothing more before it hears of their loss. It may not
 * hear of one: Postgres has renewed what ran out by our clock alone, and then all goes on. True
 * when some have run out, so that this is to be asked again.
 */
static bool follow_leases(struct webhooker *webhooker, int64_t now_ms)
{
	bool has_run_out = false;

	for (int p = 0; p < EVENT_PARTITIONS; p++) {
		if (partition_owner_state(webhooker->owner, p) != PARTITION_OPEN)
			continue;
		if (!partition_owner_holds(webhooker->owner, p)) {
			delivery_queue_close_partition(webhooker->queue, p, now_ms);
			has_run_out = true;
		} else if (webhooker->phase == WEBHOOKER_RUNNING) {
			delivery_queue_open_partition(webhooker->queue, p, now_ms);
		}
	}
	return has_run_out;
}

static void give_back_what_is_closed(struct webhooker *webhooker)
{
	for (int p = 0; p < EVENT_PARTITIONS; p++) {
		if (partition_owner_state(webhooker->owner, p) == PARTITION_CLOSING &&
			delivery_queue_busy(webhooker->queue, p) == 0)
			partition_owner_closed(webhooker->owner, p);
	}
}

static void on_left(void *ctx)
{
	struct webhooker *webhooker = ctx;

	daemon_drained(webhooker->daemon);
}

static void leave_when_done(struct webhooker *webhooker)
{
	if (webhooker->phase != WEBHOOKER_DRAINING || count_busy(webhooker) > 0 ||
		!delivery_record_is_idle(webhooker->record))
		return;
	webhooker->phase = WEBHOOKER_LEAVING;
	partition_owner_leave(webhooker->owner, LEAVE_MS, on_left, webhooker);
}

static void start_posts(struct webhooker *webhooker, int64_t now_ms)
{
	struct delivery *delivery;

	while ((delivery = delivery_queue_start(webhooker->queue, now_ms)) != NULL)
		delivery_send_start(webhooker->send, delivery, now_ms);
}

void webhooker_pump(void *ctx)
{
	struct webhooker *webhooker = ctx;
	int64_t now_ms = clock_mono_ms();

	delivery_hands_flush(webhooker->hands);
	if (webhooker->phase == WEBHOOKER_LEAVING)
		return;
	MARKED_STEP("webhooker_pump", SV_NULL);
	bool has_run_out = follow_leases(webhooker, now_ms);
	int64_t wait_ms = delivery_queue_tick(webhooker->queue, now_ms);
	start_posts(webhooker, now_ms);
	delivery_prepare_run(webhooker->prepare, now_ms);
	open_sweep_refill(webhooker->sweep);
	give_back_what_is_closed(webhooker);
	leave_when_done(webhooker);
	if (has_run_out && (wait_ms < 0 || wait_ms > RAN_OUT_LOOK_MS))
		wait_ms = RAN_OUT_LOOK_MS;
	if (wait_ms >= 0)
		loop_timer_arm(webhooker->pump_timer, wait_ms);
}

void webhooker_on_pump_timer(void *ctx)
{
	struct webhooker *webhooker = ctx;

	loop_turn_request(webhooker->pump_turn);
}

/* --- the end --- */

static void on_sending_dropped(void *ctx, struct delivery *delivery)
{
	(void)ctx;
	delivery_send_cancel(delivery);
}

void webhooker_drop_all(struct webhooker *webhooker)
{
	for (int p = 0; p < EVENT_PARTITIONS; p++)
		delivery_queue_drop_partition(webhooker->queue, p, on_sending_dropped, NULL);
}

/* The POSTs that are still in flight are broken off; nothing is recorded of them, so they are sent
 * again by the next owner. */
void webhooker_on_drain_timer(void *ctx)
{
	struct webhooker *webhooker = ctx;

	log_info("drain_break_off",
		log_int("posts", delivery_queue_figures(webhooker->queue).n_sending));
	webhooker_drop_all(webhooker);
	loop_turn_request(webhooker->pump_turn);
}

void webhooker_drain(void *service)
{
	struct webhooker *webhooker = service;
	int64_t timeout_ms = setting_ms(daemon_settings(webhooker->daemon), SETTING_DRAIN_TIMEOUT) -
			     LEAVE_MS - RECORD_MS;

	webhooker->phase = WEBHOOKER_DRAINING;
	event_intake_pause(webhooker->intake);
	open_sweep_stop(webhooker->sweep);
	for (int p = 0; p < EVENT_PARTITIONS; p++)
		delivery_queue_close_partition(webhooker->queue, p, clock_mono_ms());
	loop_timer_arm(webhooker->drain_timer, timeout_ms < 0 ? 0 : timeout_ms);
	loop_turn_request(webhooker->pump_turn);
}
