/* Leases come and go; sessions follow. */
#include "services/gateway/session_set.h"

#include "common/base/check.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "services/gateway/drain.h"
#include "services/gateway/gateway.h"

#define SURPLUS_PATIENCE_MS 2000

static const struct engine_kind *const kinds[] = {&engine_sandbox, &engine_baileys};
#define N_KINDS ((int)array_len(kinds))

#define N_STATES (SESSION_FAILED + 1)

struct survived { /* an earlier time of this process with a session: it did not die */
	struct keyed_node node;
	int32_t id;
	int64_t epoch;
};

struct state_gauge {
	const struct session_set *set;
	enum session_state state;
};

struct session_set {
	struct gateway *gateway;
	struct engine_host host;
	void *shared[N_KINDS];
	TAILQ_HEAD(, session) sessions;
	struct keyed *by_id;
	struct keyed *survived;
	struct state_gauge gauges[N_STATES];
};

static struct strview id_key(const int32_t *id)
{
	return sv_make(id, sizeof(*id));
}

struct session *session_set_find(const struct session_set *set, int32_t session_id)
{
	struct keyed_node *node = keyed_find(set->by_id, 0, id_key(&session_id));
	return node != NULL ? container_of(node, struct session, node) : NULL;
}

static struct survived *find_survived(const struct session_set *set, int32_t session_id)
{
	struct keyed_node *node = keyed_find(set->survived, 0, id_key(&session_id));
	return node != NULL ? container_of(node, struct survived, node) : NULL;
}

static void remember_survived(struct session_set *set, const struct session *session)
{
	struct survived *survived = find_survived(set, session->id);
	if (survived == NULL) {
		survived = mem_new(struct survived);
		survived->id = session->id;
		keyed_insert(set->survived, &survived->node, 0, id_key(&survived->id));
	}
	survived->epoch = session->epoch;
}

static void drop_survived(struct session_set *set, int32_t session_id)
{
	struct survived *survived = find_survived(set, session_id);
	if (survived == NULL)
		return;
	keyed_remove(set->survived, &survived->node);
	mem_free(survived);
}

static void forget(struct session_set *set, struct session *session, enum engine_close why)
{
	if (why == ENGINE_CLOSE_DELETED)
		drop_survived(set, session->id);
	else
		remember_survived(set, session);
	TAILQ_REMOVE(&set->sessions, session, link);
	keyed_remove(set->by_id, &session->node);
	session_free(&session, why);
	drain_look(set->gateway->drain);
}

static void on_gained(void *ctx, int id, int64_t epoch)
{
	struct session_set *set = ctx;
	log_info("session_gained", log_int("session", id), log_int("epoch", epoch));
	if (set->gateway->is_draining) {
		lease_release(set->gateway->leases, id);
		return;
	}
	struct session *session = session_set_find(set, id);
	if (session != NULL)
		forget(set, session, ENGINE_CLOSE_RELEASED);
	const struct survived *survived = find_survived(set, id);
	if (survived != NULL && survived->epoch == epoch) {
		/* It ran out by our clock, not by Postgres's. What we dropped may still be running
		 * there under this epoch. */
		lease_release(set->gateway->leases, id);
		return;
	}
	session = session_new(set->gateway, id, epoch, survived != NULL ? survived->epoch : 0);
	TAILQ_INSERT_TAIL(&set->sessions, session, link);
	keyed_insert(set->by_id, &session->node, 0, id_key(&session->id));
}

static void on_lost(void *ctx, int id, enum lease_loss why)
{
	struct session_set *set = ctx;
	static const char *const names[] = {[LEASE_EXPIRED] = "expired",
		[LEASE_SURPLUS] = "surplus",
		[LEASE_DELETED] = "deleted"};
	log_info("session_lost", log_int("session", id), log_text("why", names[why]));
	struct session *session = session_set_find(set, id);
	if (session == NULL)
		return;
	switch (why) {
	case LEASE_SURPLUS:
		session_end(session, SURPLUS_PATIENCE_MS);
		break;
	case LEASE_EXPIRED:
		forget(set, session, ENGINE_CLOSE_RELEASED);
		break;
	case LEASE_DELETED:
		forget(set, session, ENGINE_CLOSE_DELETED);
		break;
	}
}

static double count_state(void *ctx)
{
	const struct state_gauge *gauge = ctx;
	const struct session *session;
	int n = 0;
	TAILQ_FOREACH(session, &gauge->set->sessions, link)
	{
		n += session->state == gauge->state;
	}
	return n;
}

static void add_gauges(struct session_set *set)
{
	for (int state = 0; state < N_STATES; state++) {
		struct strbuf labels = STRBUF_INIT;
		set->gauges[state] =
			(struct state_gauge){.set = set, .state = (enum session_state)state};
		strbuf_printf(
			&labels, "state=\"%s\"", session_state_name((enum session_state)state));
		metrics_gauge_fn(daemon_metrics(set->gateway->daemon), "wa_gateway_sessions",
			strbuf_cstr(&labels), "Sessions that this gateway owns", count_state,
			&set->gauges[state]);
		strbuf_deinit(&labels);
	}
}

struct session_set *session_set_new(struct gateway *gateway)
{
	static const struct lease_events events = {.on_gained = on_gained, .on_lost = on_lost};
	struct session_set *set = mem_new(struct session_set);
	set->gateway = gateway;
	TAILQ_INIT(&set->sessions);
	set->by_id = keyed_new();
	set->survived = keyed_new();
	set->host = (struct engine_host){
		.loop = gateway->loop,
		.settings = daemon_settings(gateway->daemon),
		.metrics = daemon_metrics(gateway->daemon),
		.keeper = gateway->keeper,
	};
	for (int i = 0; i < N_KINDS; i++)
		set->shared[i] = kinds[i]->start(&set->host);
	add_gauges(set);
	gateway->leases = lease_set_new(gateway->loop, gateway->lease_conn, "session",
		daemon_owner(gateway->daemon), 0, &events, set);
	return set;
}

static void free_survived(UNUSED void *ctx, struct keyed_node *node)
{
	mem_free(container_of(node, struct survived, node));
}

void session_set_free(struct session_set **set_at)
{
	struct session_set *set = *set_at;
	if (set == NULL)
		return;
	struct session *session;
	while ((session = TAILQ_FIRST(&set->sessions)) != NULL)
		forget(set, session, ENGINE_CLOSE_RELEASED);
	lease_set_free(&set->gateway->leases);
	for (int i = 0; i < N_KINDS; i++)
		kinds[i]->stop(set->shared[i]);
	keyed_each(set->survived, free_survived, NULL);
	keyed_free(&set->survived);
	keyed_free(&set->by_id);
	mem_free(set);
	*set_at = NULL;
}

const struct engine_kind *session_set_kind(
	const struct session_set *set, struct strview name, void **ret_shared)
{
	for (int i = 0; i < N_KINDS; i++) {
		if (sv_eq_cstr(name, kinds[i]->name)) {
			*ret_shared = set->shared[i];
			return kinds[i];
		}
	}
	return NULL;
}

bool session_set_owns(const struct session_set *set, int32_t session_id, int64_t epoch)
{
	const struct session *session = session_set_find(set, session_id);
	return session != NULL && session->epoch == epoch &&
	       lease_is_held(set->gateway->leases, session_id);
}

void session_set_acknowledge(
	struct session_set *set, int32_t session_id, int64_t epoch, int64_t token)
{
	struct session *session = session_set_find(set, session_id);
	if (session != NULL && session->epoch == epoch && session->engine != NULL)
		session->kind->acknowledge(session->engine, token);
}

int session_set_count(const struct session_set *set)
{
	return keyed_count(set->by_id);
}

int session_set_open_ids(const struct session_set *set, int64_t *ret_ids, int max)
{
	int n = 0;
	const struct session *session;
	TAILQ_FOREACH(session, &set->sessions, link)
	{
		if (session->phase == SESSION_PHASE_OPEN && n < max)
			ret_ids[n++] = session->id;
	}
	return n;
}

int session_set_pairable_ids(const struct session_set *set, int64_t *ret_ids, int max)
{
	int n = 0;
	const struct session *session;
	TAILQ_FOREACH(session, &set->sessions, link)
	{
		if (session->phase == SESSION_PHASE_OPEN && session->engine != NULL &&
			session->kind->pair != NULL && session->state != SESSION_CONNECTED &&
			n < max)
			ret_ids[n++] = session->id;
	}
	return n;
}

void session_set_wind_down(struct session_set *set, int64_t patience_ms)
{
	struct session *session;
	TAILQ_FOREACH(session, &set->sessions, link)
	{
		session_end(session, patience_ms);
	}
}

void session_set_poke(struct session_set *set)
{
	struct session *session;
	TAILQ_FOREACH(session, &set->sessions, link)
	{
		if (session_is_ending(session))
			session_poke(session);
	}
}

void session_set_released(struct session_set *set, struct session *session)
{
	int32_t id = session->id;
	forget(set, session, ENGINE_CLOSE_RELEASED);
	lease_release(set->gateway->leases, id);
}
