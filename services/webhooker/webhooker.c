/* The webhooker: delivers events to customers' endpoints. This file puts its parts together. */
#include "services/webhooker/webhooker.h"

#include <string.h>

#include "common/base/mem.h"

#define MAX_POSTS          512  /* in flight, to all endpoints together */
#define CLOSE_EXTRA_MS     5000 /* winding a partition down: beyond the deadline of a POST */
#define DEFAULT_PUBLIC_URL "http://127.0.0.1:8000"

static void webhooker_stop(void *service);

/* --- start --- */

static struct strview public_url_of(const struct settings *settings)
{
	struct strview url = sv_from(setting_text(settings, SETTING_PUBLIC_URL));
	return url.len > 0 ? url : SV_LIT(DEFAULT_PUBLIC_URL);
}

static int make_keys(struct webhooker *webhooker, const struct settings *settings, struct err *err)
{
	bool is_development = strcmp(setting_text(settings, SETTING_MODE), "development") == 0;

	webhooker->box = secret_box_new(sv_from(setting_text(settings, SETTING_MASTER_KEY)), err);
	if (webhooker->box == NULL)
		return err_prefix(err, "WA_MASTER_KEY");
	webhooker->links = media_links_new(webhooker->box, public_url_of(settings),
		setting_ms(settings, SETTING_MEDIA_URL_TTL));
	webhooker->guard = url_guard_new(
		is_development, sv_from(setting_text(settings, SETTING_OUTBOUND_ALLOW_CIDRS)), err);
	return webhooker->guard == NULL ? err_prefix(err, "WA_OUTBOUND_ALLOW_CIDRS") : 0;
}

static void make_queue(struct webhooker *webhooker, const struct settings *settings)
{
	struct delivery_queue_options options = {
		.per_endpoint = (int)setting_int(settings, SETTING_WEBHOOK_CONCURRENCY),
		.total = MAX_POSTS,
		.hold_ms = setting_ms(settings, SETTING_WEBHOOK_HOLD),
		.schedule = setting_schedule(settings, SETTING_WEBHOOK_RETRY_SCHEDULE),
		.on_unclaimed = webhooker_on_unclaimed,
		.ctx = webhooker,
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
		.on_event = webhooker_on_event,
		.on_lost = webhooker_on_entries_lost,
		.on_change = webhooker_on_reader_change,
		.ctx = webhooker,
	};

	webhooker->redis = redis_conn_new(
		webhooker->loop, options.redis_url, webhooker_on_redis_change, webhooker, err);
	if (webhooker->redis == NULL)
		return err_prefix(err, "WA_REDIS_URL");
	struct delivery_hands_options hands_options = {
		.loop = webhooker->loop,
		.redis = webhooker->redis,
		.on_asked = webhooker_on_hands_asked,
		.ctx = webhooker,
	};
	webhooker->hands = delivery_hands_new(&hands_options);
	webhooker->generation = generation_watch_new(
		webhooker->loop, webhooker->redis, webhooker_on_generation_lost, webhooker);
	webhooker->intake = event_intake_new(&options, err);
	return webhooker->intake == NULL ? err_prefix(err, "WA_REDIS_URL") : 0;
}

static void make_postgres(struct webhooker *webhooker, const struct settings *settings)
{
	const char *url = setting_text(settings, SETTING_DATABASE_URL);
	const char *instance = daemon_instance(webhooker->daemon);
	struct pg_conn_options options = {.url = url, .app_name = instance};

	webhooker->lease_conn =
		pg_conn_new(webhooker->loop, &options, webhooker_on_postgres_change, webhooker);
	webhooker->store = webhooker_store_new(webhooker->loop, url, instance,
		daemon_owner(webhooker->daemon), webhooker_on_postgres_change, webhooker);
}

static void make_endpoints(struct webhooker *webhooker)
{
	struct endpoint_set_options set_options = {
		.loop = webhooker->loop,
		.store = webhooker->store,
		.queue = webhooker->queue,
		.box = webhooker->box,
		.on_change = webhooker_on_endpoint_change,
		.ctx = webhooker,
	};
	struct endpoint_close_options close_options = {
		.loop = webhooker->loop,
		.store = webhooker->store,
		.partitions = webhooker_on_partitions_asked,
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
		.on_row = webhooker_on_row,
		.on_loaded = webhooker_on_partition_loaded,
		.on_refilled = webhooker_on_change,
		.ctx = webhooker,
	};

	webhooker->sweep = open_sweep_new(&options);
	webhooker->janitor = janitor_new(webhooker->loop, webhooker->store,
		(int)setting_int(settings, SETTING_EVENT_RETENTION_DAYS));
}

static void make_line(struct webhooker *webhooker, const struct settings *settings)
{
	struct delivery_trial_options trial_options = {
		.store = webhooker->store,
		.queue = webhooker->queue,
		.hands = webhooker->hands,
		.epoch = webhooker_on_epoch_asked,
		.on_change = webhooker_on_change,
		.ctx = webhooker,
	};
	webhooker->trial = delivery_trial_new(&trial_options);
	struct delivery_prepare_options prepare_options = {
		.store = webhooker->store,
		.queue = webhooker->queue,
		.hands = webhooker->hands,
		.trial = webhooker->trial,
		.links = webhooker->links,
		.look_back_ms = webhooker_on_look_back_asked,
		.on_change = webhooker_on_change,
		.ctx = webhooker,
	};
	struct delivery_record_options record_options = {
		.loop = webhooker->loop,
		.store = webhooker->store,
		.queue = webhooker->queue,
		.hands = webhooker->hands,
		.on_change = webhooker_on_change,
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
		.epoch = webhooker_on_epoch_asked,
		.on_end = webhooker_on_attempt_end,
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
		.on_gained = webhooker_on_partition_gained,
		.on_open = webhooker_on_partition_open,
		.on_closing = webhooker_on_partition_closing,
		.on_dropped = webhooker_on_partition_dropped,
		.ctx = webhooker,
	};

	webhooker->owner = partition_owner_new(&options);
}

static void *webhooker_start(struct daemon *daemon, struct err *err)
{
	struct webhooker *webhooker = mem_new(struct webhooker);
	const struct settings *settings = daemon_settings(daemon);

	webhooker->daemon = daemon;
	webhooker->loop = daemon_loop(daemon);
	webhooker->pump_turn = loop_turn_new(webhooker->loop, "pump", webhooker_pump, webhooker);
	webhooker->pump_timer =
		loop_timer_new(webhooker->loop, "pump", webhooker_on_pump_timer, webhooker);
	webhooker->health_timer =
		loop_timer_new(webhooker->loop, "health", webhooker_on_health_timer, webhooker);
	webhooker->drain_timer =
		loop_timer_new(webhooker->loop, "drain_posts", webhooker_on_drain_timer, webhooker);
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
	webhooker->metrics =
		webhooker_metrics_new(daemon_metrics(daemon), webhooker_gauge_value, webhooker);
	loop_timer_arm(webhooker->health_timer, WEBHOOKER_HEALTH_EVERY_MS);
	return webhooker;
}

/* --- end --- */

static void webhooker_stop(void *service)
{
	struct webhooker *webhooker = service;

	if (webhooker->queue != NULL)
		webhooker_drop_all(webhooker);
	partition_owner_free(&webhooker->owner);
	webhooker_store_free(&webhooker->store);
	event_intake_free(&webhooker->intake);
	delivery_trial_free(&webhooker->trial);
	delivery_hands_free(&webhooker->hands);
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
	media_links_free(&webhooker->links);
	secret_box_free(&webhooker->box);
	loop_turn_free(&webhooker->pump_turn);
	loop_timer_free(&webhooker->pump_timer);
	loop_timer_free(&webhooker->health_timer);
	loop_timer_free(&webhooker->drain_timer);
	mem_free(webhooker);
}

int main(int argc, char **argv)
{
	static const struct daemon_service service = {
		.name = "webhooker",
		.what = "delivers events to customers' endpoints: signed, in order, until they are "
			"taken",
		.start = webhooker_start,
		.drain = webhooker_drain,
		.stop = webhooker_stop,
	};

	return daemon_main(&service, argc, argv);
}
