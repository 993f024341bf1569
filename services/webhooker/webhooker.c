/* The webhooker: delivers events to customers' endpoints. This file puts its parts together and turns the wheel. */
#include <string.h>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/daemon/daemon.h"
#include "services/webhooker/delivery_prepare.h"
#include "services/webhooker/delivery_send.h"
#include "services/webhooker/endpoint_close.h"
#include "services/webhooker/event_intake.h"
#include "services/webhooker/generation_watch.h"
#include "services/webhooker/janitor.h"
#include "services/webhooker/open_sweep.h"
#include "services/webhooker/partition_owner.h"
#include "services/webhooker/webhooker_metrics.h"

#define MAX_POSTS        512  /* in flight, to all endpoints together */
#define CLOSE_EXTRA_MS   5000 /* winding a partition down: beyond the deadline of a POST */
#define HEALTH_EVERY_MS  500
#define LEAVE_MS         1000 /* of the time to drain: for giving leases back */
#define RECORD_MS        1000 /* … and for recording what ended last */
#define DEFAULT_PUBLIC_URL "http://127.0.0.1:8000"

enum webhooker_phase {
	WEBHOOKER_RUNNING,
	WEBHOOKER_DRAINING, /* SIGTERM came: what is in flight ends */
	WEBHOOKER_LEAVING,  /* leases are being given back */
};

struct webhooker {
	struct daemon *daemon;
	struct loop *loop;
	enum webhooker_phase phase;
	char *public_url;
	struct secret_box *box;
	struct url_guard *guard;
	struct pg_conn *lease_conn; /* of its own: heartbeats wait for nothing */
	struct redis_conn *redis;
	struct http_client *http;
	struct webhooker_store *store;
	struct delivery_queue *queue;
	struct endpoint_set *endpoints;
	struct endpoint_close *close;
	struct partition_owner *owner;
	struct event_intake *intake;
	struct generation_watch *generation;
	struct open_sweep *sweep;
	struct delivery_prepare *prepare;
	struct delivery_record *record;
	struct delivery_send *send;
	struct janitor *janitor;
	struct webhooker_metrics *metrics;
	struct loop_turn *pump_turn;
	struct loop_timer *pump_timer;
	struct loop_timer *health_timer;
	struct loop_timer *drain_timer;
	struct health_part *health_postgres;
	struct health_part *health_redis;
	struct health_part *health_leases;
	bool is_reader_up;
};

static void webhooker_stop(void *service);

/* --- what comes in --- */

static enum delivery_intake take_in(struct webhooker *webhooker, const struct delivery_facts *facts)
{
	enum delivery_intake intake = delivery_queue_add(webhooker->queue, facts, clock_mono_ms());

	endpoint_set_want(webhooker->endpoints, facts->webhook_id);
	if (intake == DELIVERY_UNWANTED)
		endpoint_close_want(webhooker->close, facts->webhook_id);
	if (intake == DELIVERY_TAKEN)
		loop_turn_request(webhooker->pump_turn);
	return intake;
}

static void on_event(void *ctx, int partition, const struct event_entry *entry)
{
	struct delivery_facts facts = {
		.sequence = entry->sequence,
		.created_at_wall_ms = entry->created_at,
		.tenant_id = (int32_t)entry->tenant_id,
		.contact_id = (int32_t)entry->contact_id,
		.partition = partition,
	};

	for (int i = 0; i < entry->webhook_ids.n; i++) {
		facts.webhook_id = (int32_t)entry->webhook_ids.items[i];
		(void)take_in(ctx, &facts);
	}
}

static enum delivery_intake on_row(void *ctx, const struct delivery_facts *facts)
{
	return take_in(ctx, facts);
}

static void on_entries_lost(void *ctx, int partition)
{
	struct webhooker *webhooker = ctx;

	open_sweep_reload(webhooker->sweep, partition);
}

static void on_generation_lost(void *ctx)
{
	struct webhooker *webhooker = ctx;

	for (int p = 0; p < EVENT_PARTITIONS; p++)
		open_sweep_reload(webhooker->sweep, p);
}

/* --- partitions --- */

static void on_partition_gained(void *ctx, int partition)
{
	struct webhooker *webhooker = ctx;

	event_intake_add(webhooker->intake, partition);
	open_sweep_add(webhooker->sweep, partition);
	if (partition == 0)
		janitor_set_on_duty(webhooker->janitor, true);
}

static void on_partition_loaded(void *ctx, int partition)
{
	struct webhooker *webhooker = ctx;

	partition_owner_loaded(webhooker->owner, partition);
}

static void on_partition_open(void *ctx, int partition)
{
	struct webhooker *webhooker = ctx;

	delivery_queue_open_partition(webhooker->queue, partition, clock_mono_ms());
	loop_turn_request(webhooker->pump_turn);
}

static void stop_intake(struct webhooker *webhooker, int partition)
{
	event_intake_remove(webhooker->intake, partition);
	open_sweep_remove(webhooker->sweep, partition);
	if (partition == 0)
		janitor_set_on_duty(webhooker->janitor, false);
}

static void on_partition_closing(void *ctx, int partition)
{
	struct webhooker *webhooker = ctx;

	stop_intake(webhooker, partition);
	delivery_queue_close_partition(webhooker->queue, partition, clock_mono_ms());
	loop_turn_request(webhooker->pump_turn);
}

static void on_sending_dropped(void *ctx, struct delivery *delivery)
{
	(void)ctx;
	delivery_send_cancel(delivery);
}

static void on_partition_dropped(void *ctx, int partition)
{
	struct webhooker *webhooker = ctx;

	stop_intake(webhooker, partition);
	delivery_queue_drop_partition(webhooker->queue, partition, on_sending_dropped, NULL);
}

static int on_partitions_asked(void *ctx, int64_t ret_partitions[])
{
	struct webhooker *webhooker = ctx;

	return partition_owner_list(webhooker->owner, ret_partitions);
}

static int64_t on_epoch_asked(void *ctx, int partition)
{
	struct webhooker *webhooker = ctx;

	return partition_owner_epoch(webhooker->owner, partition);
}

static int64_t on_look_back_asked(void *ctx, int partition)
{
	struct webhooker *webhooker = ctx;

	return open_sweep_look_back_ms(webhooker->sweep, partition, clock_mono_ms());
}

/* --- endpoints, ends --- */

static void on_endpoint_change(void *ctx, int32_t webhook_id, enum outlet_state state)
{
	struct webhooker *webhooker = ctx;

	if (state == OUTLET_GONE)
		endpoint_close_want(webhooker->close, webhook_id);
	loop_turn_request(webhooker->pump_turn);
}

static void on_attempt_end(void *ctx, const struct store_end *end)
{
	struct webhooker *webhooker = ctx;

	webhooker_metrics_note(webhooker->metrics, end);
	loop_turn_request(webhooker->pump_turn);
}

static void on_change(void *ctx)
{
	struct webhooker *webhooker = ctx;

	loop_turn_request(webhooker->pump_turn);
}

/* --- the wheel --- */

static int count_busy(const struct webhooker *webhooker)
{
	int n = 0;

	for (int p = 0; p < EVENT_PARTITIONS; p++)
		n += delivery_queue_busy(webhooker->queue, p);
	return n;
}

/* A process that slept past its leases sends nothing more before it hears of their loss. */
static void close_what_ran_out(struct webhooker *webhooker, int64_t now_ms)
{
	for (int p = 0; p < EVENT_PARTITIONS; p++) {
		if (partition_owner_state(webhooker->owner, p) == PARTITION_OPEN && !partition_owner_holds(webhooker->owner, p))
			delivery_queue_close_partition(webhooker->queue, p, now_ms);
	}
}

static void give_back_what_is_closed(struct webhooker *webhooker)
{
	for (int p = 0; p < EVENT_PARTITIONS; p++) {
		if (partition_owner_state(webhooker->owner, p) == PARTITION_CLOSING && delivery_queue_busy(webhooker->queue, p) == 0)
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
	if (webhooker->phase != WEBHOOKER_DRAINING || count_busy(webhooker) > 0 || !delivery_record_is_idle(webhooker->record))
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

static void pump(void *ctx)
{
	struct webhooker *webhooker = ctx;
	int64_t now_ms = clock_mono_ms();

	if (webhooker->phase == WEBHOOKER_LEAVING)
		return;
	close_what_ran_out(webhooker, now_ms);
	int64_t wait_ms = delivery_queue_tick(webhooker->queue, now_ms);
	start_posts(webhooker, now_ms);
	delivery_prepare_run(webhooker->prepare, now_ms);
	open_sweep_refill(webhooker->sweep);
	give_back_what_is_closed(webhooker);
	leave_when_done(webhooker);
	if (wait_ms >= 0)
		loop_timer_arm(webhooker->pump_timer, wait_ms);
}

static void on_pump_timer(void *ctx)
{
	struct webhooker *webhooker = ctx;

	loop_turn_request(webhooker->pump_turn);
}

/* --- health --- */

static void on_postgres_change(void *ctx, bool up, const struct err *err)
{
	struct webhooker *webhooker = ctx;
	bool is_up = webhooker_store_is_up(webhooker->store) && pg_conn_is_up(webhooker->lease_conn);

	health_part_set(webhooker->health_postgres, is_up, up ? NULL : err);
	loop_turn_request(webhooker->pump_turn);
}

static void look_at_redis(struct webhooker *webhooker, const struct err *err)
{
	health_part_set(webhooker->health_redis, webhooker->is_reader_up && redis_conn_is_up(webhooker->redis), err);
}

static void on_reader_change(void *ctx, bool up, const struct err *err)
{
	struct webhooker *webhooker = ctx;

	webhooker->is_reader_up = up;
	look_at_redis(webhooker, err);
}

static void on_redis_change(void *ctx, bool up, const struct err *err)
{
	(void)up;
	look_at_redis(ctx, err);
}

static void on_health_timer(void *ctx)
{
	struct webhooker *webhooker = ctx;
	struct err err;

	(void)err_set(&err, "no heartbeat was answered lately");
	health_part_set(webhooker->health_leases, partition_owner_is_healthy(webhooker->owner), &err);
	loop_timer_arm(webhooker->health_timer, HEALTH_EVERY_MS);
	/* What waits for Postgres to come back is looked at from here at the latest. */
	loop_turn_request(webhooker->pump_turn);
}

static double gauge_value(void *ctx, enum webhooker_gauge which)
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
		return (double)event_intake_set_aside_count(webhooker->intake);
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

/* --- start --- */

static char *public_url_of(const struct settings *settings)
{
	const char *url = setting_text(settings, SETTING_PUBLIC_URL);
	if (url[0] == '\0')
		url = DEFAULT_PUBLIC_URL;
	size_t len = strlen(url);
	while (len > 0 && url[len - 1] == '/')
		len--;
	return mem_strndup(url, len);
}

static int make_keys(struct webhooker *webhooker, const struct settings *settings, struct err *err)
{
	bool is_development = strcmp(setting_text(settings, SETTING_MODE), "development") == 0;

	webhooker->public_url = public_url_of(settings);
	webhooker->box = secret_box_new(sv_from(setting_text(settings, SETTING_MASTER_KEY)), err);
	if (webhooker->box == NULL)
		return err_prefix(err, "WA_MASTER_KEY");
	webhooker->guard = url_guard_new(is_development, sv_from(setting_text(settings, SETTING_OUTBOUND_ALLOW_CIDRS)), err);
	return webhooker->guard == NULL ? err_prefix(err, "WA_OUTBOUND_ALLOW_CIDRS") : 0;
}

static void make_queue(struct webhooker *webhooker, const struct settings *settings)
{
	struct delivery_queue_options options = {
		.per_endpoint = (int)setting_int(settings, SETTING_WEBHOOK_CONCURRENCY),
		.total = MAX_POSTS,
		.hold_ms = setting_ms(settings, SETTING_WEBHOOK_HOLD),
		.schedule = setting_schedule(settings, SETTING_WEBHOOK_RETRY_SCHEDULE),
	};

	webhooker->queue = delivery_queue_new(&options);
	webhooker->http = http_client_new(webhooker->loop, webhooker->guard, MAX_POSTS, MAX_POSTS);
}

static int make_redis(struct webhooker *webhooker, const struct settings *settings, struct err *err)
{
	struct event_intake_options options = {
		.loop = webhooker->loop,
		.store = webhooker->store,
		.redis_url = setting_text(settings, SETTING_REDIS_URL),
		.on_event = on_event,
		.on_lost = on_entries_lost,
		.on_change = on_reader_change,
		.ctx = webhooker,
	};

	webhooker->redis = redis_conn_new(webhooker->loop, options.redis_url, on_redis_change, webhooker, err);
	if (webhooker->redis == NULL)
		return err_prefix(err, "WA_REDIS_URL");
	webhooker->generation = generation_watch_new(webhooker->loop, webhooker->redis, on_generation_lost, webhooker);
	webhooker->intake = event_intake_new(&options, err);
	return webhooker->intake == NULL ? err_prefix(err, "WA_REDIS_URL") : 0;
}

static void make_postgres(struct webhooker *webhooker, const struct settings *settings)
{
	const char *url = setting_text(settings, SETTING_DATABASE_URL);
	const char *instance = daemon_instance(webhooker->daemon);
	struct pg_conn_options options = {.url = url, .app_name = instance};

	webhooker->lease_conn = pg_conn_new(webhooker->loop, &options, on_postgres_change, webhooker);
	webhooker->store = webhooker_store_new(webhooker->loop, url, instance, daemon_owner(webhooker->daemon), on_postgres_change,
		webhooker);
}

static void make_endpoints(struct webhooker *webhooker)
{
	struct endpoint_set_options set_options = {
		.loop = webhooker->loop,
		.store = webhooker->store,
		.queue = webhooker->queue,
		.box = webhooker->box,
		.on_change = on_endpoint_change,
		.ctx = webhooker,
	};
	struct endpoint_close_options close_options = {
		.loop = webhooker->loop,
		.store = webhooker->store,
		.partitions = on_partitions_asked,
		.ctx = webhooker,
	};

	webhooker->endpoints = endpoint_set_new(&set_options);
	webhooker->close = endpoint_close_new(&close_options);
}

static void make_sweep(struct webhooker *webhooker, const struct settings *settings)
{
	struct open_sweep_options options = {
		.loop = webhooker->loop,
		.store = webhooker->store,
		.queue = webhooker->queue,
		.on_row = on_row,
		.on_loaded = on_partition_loaded,
		.on_refilled = on_change,
		.ctx = webhooker,
	};

	webhooker->sweep = open_sweep_new(&options);
	webhooker->janitor = janitor_new(webhooker->loop, webhooker->store, (int)setting_int(settings, SETTING_EVENT_RETENTION_DAYS));
}

static void make_line(struct webhooker *webhooker, const struct settings *settings)
{
	struct delivery_prepare_options prepare_options = {
		.store = webhooker->store,
		.queue = webhooker->queue,
		.public_url = webhooker->public_url,
		.look_back_ms = on_look_back_asked,
		.on_change = on_change,
		.ctx = webhooker,
	};
	struct delivery_record_options record_options = {
		.loop = webhooker->loop,
		.store = webhooker->store,
		.queue = webhooker->queue,
		.on_change = on_change,
		.ctx = webhooker,
	};

	webhooker->prepare = delivery_prepare_new(&prepare_options);
	webhooker->record = delivery_record_new(&record_options);
	struct delivery_send_options send_options = {
		.http = webhooker->http,
		.queue = webhooker->queue,
		.endpoints = webhooker->endpoints,
		.record = webhooker->record,
		.timeout_ms = setting_ms(settings, SETTING_WEBHOOK_TIMEOUT),
		.epoch = on_epoch_asked,
		.on_end = on_attempt_end,
		.ctx = webhooker,
	};
	webhooker->send = delivery_send_new(&send_options);
}

static void make_owner(struct webhooker *webhooker, const struct settings *settings)
{
	struct partition_owner_options options = {
		.loop = webhooker->loop,
		.conn = webhooker->lease_conn,
		.owner = daemon_owner(webhooker->daemon),
		.close_timeout_ms = setting_ms(settings, SETTING_WEBHOOK_TIMEOUT) + CLOSE_EXTRA_MS,
		.on_gained = on_partition_gained,
		.on_open = on_partition_open,
		.on_closing = on_partition_closing,
		.on_dropped = on_partition_dropped,
		.ctx = webhooker,
	};

	webhooker->owner = partition_owner_new(&options);
}

static void on_drain_timer(void *ctx);

static void *webhooker_start(struct daemon *daemon, struct err *err)
{
	struct webhooker *webhooker = mem_new(struct webhooker);
	const struct settings *settings = daemon_settings(daemon);

	webhooker->daemon = daemon;
	webhooker->loop = daemon_loop(daemon);
	webhooker->pump_turn = loop_turn_new(webhooker->loop, "pump", pump, webhooker);
	webhooker->pump_timer = loop_timer_new(webhooker->loop, "pump", on_pump_timer, webhooker);
	webhooker->health_timer = loop_timer_new(webhooker->loop, "health", on_health_timer, webhooker);
	webhooker->drain_timer = loop_timer_new(webhooker->loop, "drain_posts", on_drain_timer, webhooker);
	webhooker->health_postgres = health_part_new(daemon_health(daemon), "postgres");
	webhooker->health_redis = health_part_new(daemon_health(daemon), "redis");
	webhooker->health_leases = health_part_new(daemon_health(daemon), "leases");
	if (make_keys(webhooker, settings, err) < 0) {
		webhooker_stop(webhooker);
		return NULL;
	}
	make_queue(webhooker, settings);
	make_postgres(webhooker, settings);
	if (make_redis(webhooker, settings, err) < 0) {
		webhooker_stop(webhooker);
		return NULL;
	}
	make_endpoints(webhooker);
	make_sweep(webhooker, settings);
	make_line(webhooker, settings);
	make_owner(webhooker, settings);
	webhooker->metrics = webhooker_metrics_new(daemon_metrics(daemon), gauge_value, webhooker);
	loop_timer_arm(webhooker->health_timer, HEALTH_EVERY_MS);
	return webhooker;
}

/* --- end --- */

/* The POSTs that are still in flight are broken off; nothing is recorded of them, so they are sent again by the next owner. */
static void on_drain_timer(void *ctx)
{
	struct webhooker *webhooker = ctx;

	log_info("drain_break_off", log_int("posts", delivery_queue_figures(webhooker->queue).n_sending));
	for (int p = 0; p < EVENT_PARTITIONS; p++)
		delivery_queue_drop_partition(webhooker->queue, p, on_sending_dropped, NULL);
	loop_turn_request(webhooker->pump_turn);
}

static void webhooker_drain(void *service)
{
	struct webhooker *webhooker = service;
	int64_t timeout_ms = setting_ms(daemon_settings(webhooker->daemon), SETTING_DRAIN_TIMEOUT) - LEAVE_MS - RECORD_MS;

	webhooker->phase = WEBHOOKER_DRAINING;
	event_intake_pause(webhooker->intake);
	open_sweep_stop(webhooker->sweep);
	for (int p = 0; p < EVENT_PARTITIONS; p++)
		delivery_queue_close_partition(webhooker->queue, p, clock_mono_ms());
	loop_timer_arm(webhooker->drain_timer, timeout_ms < 0 ? 0 : timeout_ms);
	loop_turn_request(webhooker->pump_turn);
}

static void drop_all(struct webhooker *webhooker)
{
	if (webhooker->queue == NULL)
		return;
	for (int p = 0; p < EVENT_PARTITIONS; p++)
		delivery_queue_drop_partition(webhooker->queue, p, on_sending_dropped, NULL);
}

static void webhooker_stop(void *service)
{
	struct webhooker *webhooker = service;

	drop_all(webhooker);
	partition_owner_free(&webhooker->owner);
	webhooker_store_free(&webhooker->store);
	event_intake_free(&webhooker->intake);
	redis_conn_free(&webhooker->redis);
	generation_watch_free(&webhooker->generation);
	pg_conn_free(&webhooker->lease_conn);
	janitor_free(&webhooker->janitor);
	open_sweep_free(&webhooker->sweep);
	delivery_send_free(&webhooker->send);
	delivery_record_free(&webhooker->record);
	delivery_prepare_free(&webhooker->prepare);
	endpoint_close_free(&webhooker->close);
	endpoint_set_free(&webhooker->endpoints);
	delivery_queue_free(&webhooker->queue);
	http_client_free(&webhooker->http);
	webhooker_metrics_free(&webhooker->metrics);
	url_guard_free(&webhooker->guard);
	secret_box_free(&webhooker->box);
	loop_turn_free(&webhooker->pump_turn);
	loop_timer_free(&webhooker->pump_timer);
	loop_timer_free(&webhooker->health_timer);
	loop_timer_free(&webhooker->drain_timer);
	mem_free(webhooker->public_url);
	mem_free(webhooker);
}

int main(int argc, char **argv)
{
	static const struct daemon_service service = {
		.name = "webhooker",
		.what = "delivers events to customers' endpoints: signed, in order, until they are taken",
		.start = webhooker_start,
		.drain = webhooker_drain,
		.stop = webhooker_stop,
	};

	return daemon_main(&service, argc, argv);
}
