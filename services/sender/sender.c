/* The sender: holds the queue of the partitions that it leases, and gives each conversation's next
   message to its gateway. */
#include <stdio.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/daemon/daemon.h"
#include "common/io/marked_step.h"
#include "services/sender/dispatch.h"
#include "services/sender/generation.h"
#include "services/sender/schedule.h"
#include "services/sender/sender_limits.h"
#include "services/sender/stream_intake.h"

#define POOL_CONNECTIONS  2
#define TICK_MS           500
#define PRUNE_EVERY_TICKS 120
#define GRACE_MS                                                                                   \
	5000 /* beyond the wait for an acknowledgement, until a silent dispatch is looked up */
#define TELL_AFTER_MS 300
#define RELEASE_MS    2000

struct sender {
	struct daemon *daemon;
	struct loop *loop;
	struct pg_conn *lease_conn; /* of its own: a heartbeat must not wait behind a scan */
	struct pg_pool *pool;
	struct redis_conn *redis;
	struct stream_writer *writer;
	struct sender_store *store;
	struct send_queue *queue;
	struct lease_set *leases;
	struct partitions *partitions;
	struct head_sweep *sweep;
	struct conversation_reread *reread;
	struct limits_cache *limits;
	struct stream_intake *intake;
	struct dispatch *dispatch;
	struct schedule_watch *schedule;
	struct generation *generation;
	struct loop_timer *tick;
	struct health_part *health_postgres;
	struct health_part *health_redis;
	struct health_part *health_leases;
	struct sender_metrics metrics;
	struct err postgres_err; /* why it is away */
	struct err redis_err;
	int64_t n_found; /* by the sweep, as far as counted */
	int n_ticks;
	bool is_draining;
	bool is_releasing;
};

static void sender_stop(void *service);

/* Health. */

static void show_health(struct sender *sender)
{
	bool postgres = pg_pool_is_up(sender->pool) && pg_conn_is_up(sender->lease_conn);
	bool redis = redis_conn_is_up(sender->redis) && stream_intake_is_up(sender->intake);
	bool leases = lease_set_is_healthy(sender->leases);
	struct err lease_err = {"the last heartbeat failed"};
	health_part_set(sender->health_postgres, postgres, postgres ? NULL : &sender->postgres_err);
	health_part_set(sender->health_redis, redis, redis ? NULL : &sender->redis_err);
	health_part_set(sender->health_leases, leases, leases ? NULL : &lease_err);
}

static void note_err(struct err *ret_err, bool up, const struct err *err)
{
	if (!up && err != NULL) {
		*ret_err = *err;
	}
}

static void on_pool_change(void *ctx, bool up, const struct err *err)
{
	struct sender *sender = ctx;
	note_err(&sender->postgres_err, up, err);
	if (up) {
		head_sweep_wake(sender->sweep);
		conversation_reread_wake(sender->reread);
	}
	show_health(sender);
}

static void on_lease_conn_change(void *ctx, bool up, const struct err *err)
{
	struct sender *sender = ctx;
	note_err(&sender->postgres_err, up, err);
	show_health(sender);
}

static void on_redis_change(void *ctx, bool up, const struct err *err)
{
	struct sender *sender = ctx;
	note_err(&sender->redis_err, up, err);
	if (up) {
		generation_look(sender->generation);
		dispatch_request(sender->dispatch);
	}
	show_health(sender);
}

static void on_reader_change(void *ctx, bool up, const struct err *err)
{
	struct sender *sender = ctx;
	note_err(&sender->redis_err, up, err);
	show_health(sender);
}

/* What happens among the parts. */

static void on_gained(void *ctx, int id, int64_t epoch)
{
	MARKED_STEP_NUMBER("sender_partition_gained", id);
	partitions_gained(((struct sender *)ctx)->partitions, id, epoch);
}

static void on_lost(void *ctx, int id, enum lease_loss why)
{
	struct sender *sender = ctx;
	partitions_lost(sender->partitions, id, why);
	stream_intake_drop(sender->intake, id);
}

static void on_scanned(void *ctx, int partition)
{
	partitions_scanned(((struct sender *)ctx)->partitions, partition);
}

static void on_change(void *ctx)
{
	dispatch_request(((struct sender *)ctx)->dispatch);
}

static void on_generation_lost(void *ctx)
{
	struct sender *sender = ctx;
	partitions_doubt(sender->partitions, -1);
	dispatch_request(sender->dispatch);
}

static void drain_on(struct sender *sender);

static void on_tick(void *ctx)
{
	struct sender *sender = ctx;
	int64_t found = head_sweep_found(sender->sweep);
	show_health(sender);
	metric_add(sender->metrics.swept, found - sender->n_found);
	sender->n_found = found;
	if (++sender->n_ticks % PRUNE_EVERY_TICKS == 0) {
		send_queue_prune(sender->queue, clock_mono_ms());
	}
	if (sender->is_draining) {
		drain_on(sender);
	}
	loop_timer_arm(sender->tick, sender->is_draining ? 20 : TICK_MS);
}

/* Building. */

static double gauge_messages(void *ctx)
{
	return send_queue_messages(((struct sender *)ctx)->queue);
}

static double gauge_conversations(void *ctx)
{
	return send_queue_conversations(((struct sender *)ctx)->queue, -1);
}

static double gauge_held(void *ctx)
{
	return send_queue_in_state(((struct sender *)ctx)->queue, CONVERSATION_HELD);
}

static double gauge_dispatched(void *ctx)
{
	return send_queue_in_state(((struct sender *)ctx)->queue, CONVERSATION_DISPATCHED);
}

static double gauge_partitions(void *ctx)
{
	return partitions_count(((struct sender *)ctx)->partitions);
}

static void build_metrics(struct sender *sender)
{
	struct metrics *metrics = daemon_metrics(sender->daemon);
	sender_metrics_init(&sender->metrics, metrics);
	metrics_gauge_fn(metrics, "wa_sender_queue_messages", "", "messages in memory",
		gauge_messages, sender);
	metrics_gauge_fn(metrics, "wa_sender_conversations", "", "conversations in memory",
		gauge_conversations, sender);
	metrics_gauge_fn(metrics, "wa_sender_held", "",
		"conversations held back by a limit of their own or their session", gauge_held,
		sender);
	metrics_gauge_fn(metrics, "wa_sender_in_flight", "", "messages at a gateway",
		gauge_dispatched, sender);
	metrics_gauge_fn(
		metrics, "wa_sender_partitions", "", "partitions owned", gauge_partitions, sender);
}

static struct pace_settings pace_settings(const struct settings *settings)
{
	/* In development nothing is paced, unless it is asked for. */
	bool is_paced = !sv_eq_cstr(sv_from(setting_text(settings, SETTING_MODE)), "development");
	bool rate = is_paced || setting_is_set(settings, SETTING_SESSION_RATE_PER_MIN);
	bool interval = is_paced || setting_is_set(settings, SETTING_RECIPIENT_INTERVAL);
	return (struct pace_settings){
		.session_rate_per_min =
			rate ? setting_int(settings, SETTING_SESSION_RATE_PER_MIN) : 0,
		.session_burst = setting_int(settings, SETTING_SESSION_BURST),
		.recipient_interval_ms =
			interval ? setting_ms(settings, SETTING_RECIPIENT_INTERVAL) : 0,
		.recipient_burst = setting_int(settings, SETTING_RECIPIENT_BURST),
		.tenant_rate_per_min = setting_int(settings, SETTING_TENANT_RATE_PER_MIN),
	};
}

static int build_connections(struct sender *sender, struct err *err)
{
	const struct settings *settings = daemon_settings(sender->daemon);
	struct pg_conn_options options = {
		.url = setting_text(settings, SETTING_DATABASE_URL),
		.app_name = daemon_instance(sender->daemon),
	};
	sender->redis = redis_conn_new(sender->loop, setting_text(settings, SETTING_REDIS_URL),
		on_redis_change, sender, err);
	if (sender->redis == NULL) {
		return err_prefix(err, "WA_REDIS_URL");
	}
	sender->writer = stream_writer_new(sender->loop, sender->redis);
	sender->lease_conn = pg_conn_new(sender->loop, &options, on_lease_conn_change, sender);
	options.plan_once = true;
	sender->pool =
		pg_pool_new(sender->loop, &options, POOL_CONNECTIONS, on_pool_change, sender);
	sender->store = sender_store_new(sender->pool);
	return 0;
}

static void build_queue(struct sender *sender)
{
	struct loop *loop = sender->loop;
	const struct settings *settings = daemon_settings(sender->daemon);
	struct pace_settings pace = pace_settings(settings);
	struct send_queue_options options = {
		.max_messages = MAX_MESSAGES_HELD,
		.max_per_conversation = MAX_MESSAGES_OF_ONE,
		.max_window = MAX_WINDOW,
		.dispatch_deadline_ms = setting_ms(settings, SETTING_ACK_TIMEOUT) + GRACE_MS,
		.tell_after_ms = TELL_AFTER_MS,
		.on_held = dispatch_on_held,
	};
	struct head_sweep_events sweep_events = {on_scanned, on_change};
	sender->dispatch = dispatch_new(loop);
	options.ctx = sender->dispatch;
	sender->queue = send_queue_new(&options);
	sender->sweep = head_sweep_new(loop, sender->store, sender->queue, &sweep_events, sender);
	sender->reread =
		conversation_reread_new(loop, sender->store, sender->queue, on_change, sender);
	sender->limits =
		limits_cache_new(loop, sender->store, sender->queue, &pace, on_change, sender);
	sender->partitions = partitions_new(daemon_owner(sender->daemon));
}

static int build_intake(struct sender *sender, struct err *err)
{
	struct stream_intake_parts parts = {sender->loop, sender->redis, sender->store,
		sender->queue, sender->partitions, &sender->metrics};
	struct stream_intake_events events = {on_change, on_reader_change};
	sender->intake =
		stream_intake_new(setting_text(daemon_settings(sender->daemon), SETTING_REDIS_URL),
			&parts, &events, sender, err);
	return sender->intake != NULL ? 0 : err_prefix(err, "WA_REDIS_URL");
}

static void build_output(struct sender *sender)
{
	struct loop *loop = sender->loop;
	struct dispatch_parts dispatch_parts = {loop, sender->redis, sender->writer, sender->queue,
		sender->partitions, sender->limits, sender->reread, &sender->metrics};
	struct schedule_parts schedule_parts = {loop, sender->store, sender->queue,
		sender->partitions, sender->writer, &sender->metrics};
	struct lease_events lease_events = {on_gained, on_lost};
	dispatch_set_parts(sender->dispatch, &dispatch_parts);
	sender->schedule = schedule_watch_new(&schedule_parts, on_change, sender);
	sender->generation = generation_new(loop, sender->redis, on_generation_lost, sender);
	sender->leases = lease_set_new(loop, sender->lease_conn, "partition",
		daemon_owner(sender->daemon), 0, &lease_events, sender);
	struct partitions_parts parts = {
		sender->leases, stream_intake_reader(sender->intake), sender->queue, sender->sweep};
	partitions_set_parts(sender->partitions, &parts);
}

static void *sender_start(struct daemon *daemon, struct err *err)
{
	struct sender *sender = mem_new(struct sender);
	struct health *health = daemon_health(daemon);
	sender->daemon = daemon;
	sender->loop = daemon_loop(daemon);
	sender->health_postgres = health_part_new(health, "postgres");
	sender->health_redis = health_part_new(health, "redis");
	sender->health_leases = health_part_new(health, "leases");
	(void)err_set(&sender->postgres_err, "not connected yet");
	(void)err_set(&sender->redis_err, "not connected yet");
	if (build_connections(sender, err) < 0) {
		sender_stop(sender);
		return NULL;
	}
	build_queue(sender);
	build_metrics(sender);
	if (build_intake(sender, err) < 0) {
		sender_stop(sender);
		return NULL;
	}
	build_output(sender);
	sender->tick = loop_timer_new(sender->loop, "sender_tick", on_tick, sender);
	loop_timer_arm(sender->tick, TICK_MS);
	return sender;
}

/* The end. */

static void on_released(void *ctx)
{
	struct sender *sender = ctx;
	daemon_drained(sender->daemon);
}

/* What is under way in Postgres ends first, so that it ends under leases that are still ours. */
static void drain_on(struct sender *sender)
{
	if (sender->is_releasing || schedule_watch_is_busy(sender->schedule)) {
		return;
	}
	sender->is_releasing = true;
	lease_release_all(sender->leases, RELEASE_MS, on_released, sender);
}

static void sender_drain(void *service)
{
	struct sender *sender = service;
	sender->is_draining = true;
	partitions_close(sender->partitions);
	dispatch_stop(sender->dispatch);
	stream_intake_stop(sender->intake);
	schedule_watch_stop(sender->schedule);
	loop_timer_arm(sender->tick, 0);
}

static void sender_stop(void *service)
{
	struct sender *sender = service;
	loop_timer_free(&sender->tick);
	lease_set_free(&sender->leases);
	generation_free(&sender->generation);
	schedule_watch_free(&sender->schedule);
	dispatch_free(&sender->dispatch);
	limits_cache_free(&sender->limits);
	conversation_reread_free(&sender->reread);
	head_sweep_free(&sender->sweep);
	stream_intake_free(&sender->intake);
	partitions_free(&sender->partitions);
	send_queue_free(&sender->queue);
	pg_pool_free(&sender->pool);
	sender_store_free(&sender->store);
	pg_conn_free(&sender->lease_conn);
	stream_writer_free(&sender->writer);
	redis_conn_free(&sender->redis);
	mem_free(sender);
}

int main(int argc, char **argv)
{
	static const struct daemon_service service = {
		.name = "sender",
		.what = "gives each conversation's next message to its gateway, in order and at "
			"the right pace",
		.start = sender_start,
		.drain = sender_drain,
		.stop = sender_stop,
	};
	return daemon_main(&service, argc, argv);
}
