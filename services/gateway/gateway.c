/* The gateway: puts its parts together and takes them apart. */
#include "services/gateway/gateway.h"

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/io/stream_writer.h"
#include "services/gateway/claim.h"
#include "services/gateway/dispatch_intake.h"
#include "services/gateway/drain.h"
#include "services/gateway/in_flight.h"
#include "services/gateway/inbound.h"
#include "services/gateway/inbound_asides.h"
#include "services/gateway/media.h"
#include "services/gateway/media_keep.h"
#include "services/gateway/moves.h"
#include "services/gateway/pairing.h"
#include "services/gateway/progress.h"
#include "services/gateway/publish.h"
#include "services/gateway/session_set.h"

#define HEALTH_MS 500

static void on_lease_conn(void *ctx, bool up, const struct err *err)
{
	struct gateway *gateway = ctx;
	health_part_set(gateway->postgres_health, up, err);
}

static void on_redis(void *ctx, bool up, const struct err *err)
{
	struct gateway *gateway = ctx;
	health_part_set(gateway->redis_health, up, err);
}

static void on_health(void *ctx)
{
	struct gateway *gateway = ctx;
	bool is_healthy = lease_set_is_healthy(gateway->leases);
	struct err err = {"leases are not being renewed"};
	health_part_set(gateway->lease_health, is_healthy, is_healthy ? NULL : &err);
	loop_timer_arm(gateway->health_timer, HEALTH_MS);
}

static void on_late(void *ctx, struct attempt *attempt)
{
	struct gateway *gateway = ctx;
	struct session *session = session_set_find(gateway->sessions, attempt->node.scope);
	if (session != NULL)
		session_attempt_is_late(session, attempt);
	else
		in_flight_end(gateway->in_flight, attempt);
}

static double count_in_flight(void *ctx)
{
	const struct gateway *gateway = ctx;
	return in_flight_count(gateway->in_flight);
}

static double count_facts(void *ctx)
{
	const struct gateway *gateway = ctx;
	return progress_waiting(gateway->progress) + moves_waiting(gateway->moves) +
	       inbound_waiting(gateway->inbound);
}

static void add_gauges(struct gateway *gateway)
{
	struct metrics *metrics = daemon_metrics(gateway->daemon);
	metrics_gauge_fn(metrics, "wa_gateway_in_flight", "", "Attempts with the engines",
		count_in_flight, gateway);
	metrics_gauge_fn(metrics, "wa_gateway_uncommitted", "", "Facts on their way to Postgres",
		count_facts, gateway);
}

static struct pg_conn *connect_one(
	struct gateway *gateway, const char *app_name, bool plan_once, pg_change_fn on_change)
{
	struct pg_conn_options options = {
		.url = setting_text(daemon_settings(gateway->daemon), SETTING_DATABASE_URL),
		.app_name = app_name,
		.plan_once = plan_once,
	};
	return pg_conn_new(gateway->loop, &options, on_change, gateway);
}

static void connect_postgres(struct gateway *gateway)
{
	gateway->lease_conn = connect_one(gateway, "gateway leases", false, on_lease_conn);
	gateway->claim_conn = connect_one(gateway, "gateway claims", true, NULL);
	gateway->progress_conn = connect_one(gateway, "gateway progress", true, NULL);
	gateway->session_conn = connect_one(gateway, "gateway sessions", false, NULL);
	gateway->media_conn = connect_one(gateway, "gateway media", false, NULL);
}

static void gateway_stop(void *service)
{
	struct gateway *gateway = service;
	drain_free(&gateway->drain);
	session_set_free(&gateway->sessions);
	pairing_free(&gateway->pairing);
	inbound_free(&gateway->inbound);
	inbound_asides_free(&gateway->asides);
	media_free(&gateway->media);
	media_keeper_free(&gateway->keeper);
	claim_free(&gateway->claim);
	moves_free(&gateway->moves);
	progress_free(&gateway->progress);
	in_flight_free(&gateway->in_flight);
	dispatch_intake_free(&gateway->intake);
	publish_free(&gateway->publish);
	stream_writer_free(&gateway->writer);
	redis_conn_free(&gateway->redis);
	pg_conn_free(&gateway->lease_conn);
	pg_conn_free(&gateway->claim_conn);
	pg_conn_free(&gateway->progress_conn);
	pg_conn_free(&gateway->session_conn);
	pg_conn_free(&gateway->media_conn);
	loop_timer_free(&gateway->health_timer);
	mem_free(gateway);
}

/* What a bad setting can make impossible. */
static int start_outer_parts(struct gateway *gateway, struct err *err)
{
	const char *redis_url = setting_text(daemon_settings(gateway->daemon), SETTING_REDIS_URL);
	gateway->redis = redis_conn_new(gateway->loop, redis_url, on_redis, gateway, err);
	if (gateway->redis == NULL)
		return -1;
	gateway->writer = stream_writer_new(gateway->loop, gateway->redis);
	gateway->intake = dispatch_intake_new(gateway, err);
	if (gateway->intake == NULL)
		return -1;
	gateway->keeper = media_keeper_new(gateway->loop, gateway->media_conn,
		daemon_settings(gateway->daemon), gateway->stats.media_store_failures, err);
	if (gateway->keeper == NULL)
		return -1;
	gateway->media = media_new(gateway, err);
	return gateway->media != NULL ? 0 : -1;
}

static void start_inner_parts(struct gateway *gateway)
{
	gateway->publish = publish_new(gateway->writer, &gateway->stats);
	gateway->in_flight =
		in_flight_new(gateway->loop, gateway->ack_timeout_ms, on_late, gateway);
	gateway->claim = claim_new(gateway);
	gateway->progress = progress_new(gateway);
	gateway->moves = moves_new(gateway);
	gateway->inbound = inbound_new(gateway);
	gateway->asides = inbound_asides_new(gateway);
	gateway->drain = drain_new(gateway);
	gateway->pairing = pairing_new(gateway);
	gateway->sessions = session_set_new(gateway);
	add_gauges(gateway);
	loop_timer_arm(gateway->health_timer, HEALTH_MS);
}

static void *gateway_start(struct daemon *daemon, struct err *err)
{
	struct gateway *gateway = mem_new(struct gateway);
	const struct settings *settings = daemon_settings(daemon);
	gateway->daemon = daemon;
	gateway->loop = daemon_loop(daemon);
	gateway->retry_schedule = setting_schedule(settings, SETTING_SEND_RETRY_SCHEDULE);
	gateway->ack_timeout_ms = setting_ms(settings, SETTING_ACK_TIMEOUT);
	gateway->postgres_health = health_part_new(daemon_health(daemon), "postgres");
	gateway->redis_health = health_part_new(daemon_health(daemon), "redis");
	gateway->lease_health = health_part_new(daemon_health(daemon), "leases");
	gateway->health_timer = loop_timer_new(gateway->loop, "health", on_health, gateway);
	gateway_stats_init(&gateway->stats, daemon_metrics(daemon));
	connect_postgres(gateway);
	if (start_outer_parts(gateway, err) < 0) {
		gateway_stop(gateway);
		return NULL;
	}
	start_inner_parts(gateway);
	return gateway;
}

static void gateway_drain(void *service)
{
	struct gateway *gateway = service;
	drain_start(gateway->drain);
}

int main(int argc, char **argv)
{
	static const struct daemon_service service = {
		.name = "gateway",
		.what = "owns WhatsApp sessions: sends, receives, records what became of it",
		.start = gateway_start,
		.drain = gateway_drain,
		.stop = gateway_stop,
	};
	return daemon_main(&service, argc, argv);
}
