/* The api daemon: takes HTTP requests, commits them to Postgres, tells the others. */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "services/api/api.h"
#include "services/api/api_call.h"
#include "services/api/api_reply.h"
#include "services/api/api_store.h"
#include "services/api/backlog.h"
#include "services/api/key_cache.h"
#include "services/api/key_use.h"
#include "services/api/media_sweep.h"
#include "services/api/message_accept.h"
#include "services/api/request_stats.h"
#include "services/api/system_health.h"
#include "services/api/wind_down.h"

#define DRAIN_LOOK_MS   20
#define DRAIN_LINGER_MS 1000 /* for answers that are written but not yet read */

static void api_stop(void *service)
{
	struct api *api = service;

	/* Whoever might still answer a request goes before the server does. */
	message_accept_free(&api->accept);
	wind_down_free(&api->wind_down);
	media_sweep_free(&api->media_sweep);
	media_store_close(&api->media_store);
	backlog_free(&api->backlog);
	key_use_free(&api->key_use);
	api_store_free(&api->store);
	stream_writer_free(&api->streams);
	redis_conn_free(&api->redis);
	key_cache_free(&api->keys);
	system_health_free(&api->system_health);
	http_server_free(&api->server);
	request_stats_free(&api->stats);
	loop_timer_free(&api->drain_timer);
	url_guard_free(&api->guard);
	media_links_free(&api->media_links);
	secret_box_free(&api->secrets);
	pool_free(&api->pool);
	mem_wipe(&api->cursor_key, sizeof(api->cursor_key));
	mem_free(api);
}

/* --- draining --- */

static void on_drain_look(void *ctx)
{
	struct api *api = ctx;
	int64_t now_ms = clock_mono_ms();

	if (http_server_in_flight(api->server) > 0)
		api->drain_until_ms = now_ms + DRAIN_LINGER_MS;
	else if (http_server_connections(api->server) == 0 || now_ms >= api->drain_until_ms) {
		daemon_drained(api->daemon);
		return;
	}
	loop_timer_arm(api->drain_timer, DRAIN_LOOK_MS);
}

static void api_drain(void *service)
{
	struct api *api = service;
	http_server_drain(api->server);
	api->drain_until_ms = clock_mono_ms() + DRAIN_LINGER_MS;
	on_drain_look(api);
}

/* --- starting --- */

static void on_postgres_change(void *ctx, bool up, const struct err *err)
{
	struct api *api = ctx;
	health_part_set(api->postgres_part, up, err);
}

static void on_redis_change(void *ctx, bool up, const struct err *err)
{
	struct api *api = ctx;
	health_part_set(api->redis_part, up, err);
}

static double connections(void *ctx)
{
	const struct api *api = ctx;
	return http_server_connections(api->server);
}

static double in_flight(void *ctx)
{
	const struct api *api = ctx;
	return http_server_in_flight(api->server);
}

static double unread(void *ctx)
{
	const struct api *api = ctx;
	return (double)http_server_unread_bytes(api->server);
}

static double streams_dropped(void *ctx)
{
	const struct api *api = ctx;
	return (double)stream_writer_dropped(api->streams);
}

static void make_gauges(struct api *api)
{
	struct metrics *metrics = daemon_metrics(api->daemon);
	metrics_gauge_fn(metrics, "wa_api_connections", "", "Open connections", connections, api);
	metrics_gauge_fn(metrics, "wa_api_requests_in_flight", "", "Requests not yet answered",
		in_flight, api);
	metrics_gauge_fn(metrics, "wa_api_unread_bytes", "",
		"Answers in memory that their clients have not taken", unread, api);
	metrics_gauge_fn(metrics, "wa_api_stream_entries_dropped", "",
		"Entries that Redis did not take, since the start", streams_dropped, api);
}

/* What needs a setting to be right; nothing connects yet. 0 or -1. */
static int make_secrets(struct api *api, const struct settings *settings, struct err *err)
{
	struct strview master_key = sv_from(setting_text(settings, SETTING_MASTER_KEY));

	api->secrets = secret_box_new(master_key, err);
	if (api->secrets == NULL)
		return err_prefix(err, "WA_MASTER_KEY");
	cursor_key_init(&api->cursor_key, master_key);
	api->guard = url_guard_new(api->development,
		sv_from(setting_text(settings, SETTING_OUTBOUND_ALLOW_CIDRS)), err);
	return api->guard != NULL ? 0 : err_prefix(err, "WA_OUTBOUND_ALLOW_CIDRS");
}

static void make_store(struct api *api, const struct settings *settings)
{
	const char *url = setting_text(settings, SETTING_DATABASE_URL);
	int64_t timeout_ms = setting_ms(settings, SETTING_API_QUERY_TIMEOUT);

	api->store = api_store_new(
		api->loop, url, daemon_instance(api->daemon), timeout_ms, on_postgres_change, api);
	api->keys = key_cache_new(api->store);
	api->key_use = key_use_new(api->loop, api->store);
	api->backlog = backlog_new(api->store, setting_int(settings, SETTING_TENANT_BACKLOG));
	api->wind_down = wind_down_new(api->loop, api->store);
	if (api->media_store.objects != NULL)
		api->media_sweep = media_sweep_new(api->loop, api->store, api->media_store.objects);
	api->accept = message_accept_new(api, url, timeout_ms);
	api->system_health = system_health_new(api);
}

static int make_redis(struct api *api, const struct settings *settings, struct err *err)
{
	api->redis = redis_conn_new(
		api->loop, setting_text(settings, SETTING_REDIS_URL), on_redis_change, api, err);
	if (api->redis == NULL)
		return err_prefix(err, "WA_REDIS_URL");
	api->streams = stream_writer_new(api->loop, api->redis);
	return 0;
}

/* After the server: its port may stand in them. */
static void make_links(struct api *api, const struct settings *settings)
{
	struct strview url = sv_from(setting_text(settings, SETTING_PUBLIC_URL));

	if (url.len == 0)
		url = sv_from(pool_printf(api->pool, "http://%s:%d",
			setting_text(settings, SETTING_API_ADDR), http_server_port(api->server)));
	api->media_links =
		media_links_new(api->secrets, url, setting_ms(settings, SETTING_MEDIA_URL_TTL));
}

static int make_server(struct api *api, const struct settings *settings, struct err *err)
{
	struct http_server_options options = {
		.address = setting_text(settings, SETTING_API_ADDR),
		.port = (int)setting_int(settings, SETTING_API_PORT),
		.reuse_port = true,
		.max_body_bytes = setting_int(settings, SETTING_API_MAX_BODY_BYTES),
		.idle_timeout_ms = setting_ms(settings, SETTING_API_IDLE_TIMEOUT),
		.request_timeout_ms = setting_ms(settings, SETTING_API_REQUEST_TIMEOUT),
		.max_connections = (int)setting_int(settings, SETTING_API_MAX_CONNECTIONS),
		.format_error = api_format_error,
	};

	api->server = http_server_new(api->loop, &options, api_call_begin, api, err);
	if (api->server == NULL)
		return -1;
	make_links(api, settings);
	log_info("api_listen", log_text("address", options.address),
		log_int("port", http_server_port(api->server)));
	return 0;
}

static void *api_start(struct daemon *daemon, struct err *err)
{
	const struct settings *settings = daemon_settings(daemon);
	struct api *api = mem_new(struct api);

	api->daemon = daemon;
	api->loop = daemon_loop(daemon);
	api->pool = pool_new();
	api->development = sv_eq_cstr(sv_from(setting_text(settings, SETTING_MODE)), "development");
	api->has_baileys = setting_text(settings, SETTING_BAILEYS_DIR)[0] != '\0';
	api->admin_token = sv_from(setting_text(settings, SETTING_ADMIN_TOKEN));
	api->postgres_part = health_part_new(daemon_health(daemon), "postgres");
	api->redis_part = health_part_new(daemon_health(daemon), "redis");
	api->stats = request_stats_new(daemon_metrics(daemon));
	api->drain_timer = loop_timer_new(api->loop, "api_drain", on_drain_look, api);
	if (make_secrets(api, settings, err) != 0 || make_redis(api, settings, err) != 0 ||
		media_store_open(&api->media_store, api->loop, settings, err) != 0) {
		api_stop(api);
		return NULL;
	}
	make_store(api, settings);
	if (make_server(api, settings, err) != 0) {
		api_stop(api);
		return NULL;
	}
	make_gauges(api);
	return api;
}

int main(int argc, char **argv)
{
	static const struct daemon_service service = {
		.name = "api",
		.what = "takes HTTP requests and commits them to Postgres",
		.start = api_start,
		.drain = api_drain,
		.stop = api_stop,
	};
	return daemon_main(&service, argc, argv);
}
