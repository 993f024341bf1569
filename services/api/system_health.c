/* Asks Postgres and Redis, keeps the answer for half a second, and gives it to all who wait. */
#include "services/api/system_health.h"

#include <stdio.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "services/api/api_reply.h"
#include "services/api/api_store_health.h"
#include "services/api/health_judge.h"

#define KEEP_MS        500
#define ASK_TIMEOUT_MS 1000

struct system_health {
	struct api *api;
	int n_asking;     /* answers that are still missing, of two */
	int64_t known_ms; /* monotonic, when the present document was asked for; 0: never */
	struct strbuf document;
	enum health_status status;
	struct health_found found;
	struct api_call *waiting;
};

struct system_health *system_health_new(struct api *api)
{
	struct system_health *health = mem_new(struct system_health);
	health->api = api;
	return health;
}

void system_health_free(struct system_health **health)
{
	if (*health == NULL)
		return;
	strbuf_deinit(&(*health)->document);
	mem_free(*health);
	*health = NULL;
}

static void answer(const struct system_health *health, struct api_call *call)
{
	api_reply_header(call, "Cache-Control", SV_LIT("no-store"));
	api_reply_raw(call, health->status == HEALTH_DOWN ? 503 : 200, "application/json",
		strbuf_view(&health->document));
}

static void one_answered(struct system_health *health)
{
	if (--health->n_asking > 0)
		return;
	struct json *document = health_judge(&health->found, &health->status);
	strbuf_reset(&health->document);
	json_format(document, &health->document);
	json_free(&document);
	struct api_call *call = health->waiting;
	health->waiting = NULL;
	while (call != NULL) {
		struct api_call *next = call->next;
		answer(health, call);
		call = next;
	}
}

static void read_sessions(struct health_found *found, const struct pg_result *result)
{
	for (int i = 0; i < pg_rows(result) && i < HEALTH_MAX_SESSIONS; i++) {
		struct store_health_session session = store_health_session_at(result, i);
		if (session.id == 0)
			continue;
		struct health_session *out = &found->sessions[found->n_sessions++];
		out->id = session.id;
		out->is_led = session.is_led;
		out->is_connected = sv_eq_cstr(session.state, "connected");
		(void)snprintf(out->state, sizeof(out->state), "%.*s", SV_ARG(session.state));
	}
}

static void on_postgres(void *ctx, const struct pg_result *result)
{
	struct system_health *health = ctx;
	struct health_found *found = &health->found;

	found->postgres = pg_status(result) == PG_OK;
	if (found->postgres) {
		struct store_health_leases leases = store_health_leases_at(result);
		found->partitions = leases.partitions;
		found->partitions_held = leases.partitions_held;
		found->events = leases.events;
		found->events_held = leases.events_held;
		read_sessions(found, result);
	}
	one_answered(health);
}

static void on_redis(void *ctx, enum redis_status status, const struct redis_reply *reply)
{
	struct system_health *health = ctx;
	(void)reply;
	health->found.redis = status == REDIS_OK;
	one_answered(health);
}

static void ask(struct system_health *health, int64_t now_ms)
{
	struct strview ping[] = {SV_LIT("PING")};
	health->n_asking = 2;
	health->known_ms = now_ms;
	health->found = (struct health_found){0};
	store_health(health->api->store, ASK_TIMEOUT_MS, on_postgres, health);
	redis_conn_command(health->api->redis, 1, ping, ASK_TIMEOUT_MS, on_redis, health);
}

void system_health_answer(struct system_health *health, struct api_call *call)
{
	int64_t now_ms = clock_mono_ms();

	if (health->n_asking == 0 && health->known_ms != 0 && now_ms - health->known_ms < KEEP_MS) {
		answer(health, call);
		return;
	}
	call->next = health->waiting;
	health->waiting = call;
	if (health->n_asking == 0)
		ask(health, now_ms);
}
