/* /sessions: making and deleting a tenant's own sessions, showing them and the shared one. */
#include "common/base/clock.h"
#include "common/model/phone.h"
#include "services/api/api_reply.h"
#include "services/api/api_store_audit.h"
#include "services/api/api_store_sessions.h"
#include "services/api/api_store_tenants.h"
#include "services/api/body_reader.h"
#include "services/api/handlers.h"
#include "services/api/idempotency.h"
#include "services/api/key_cache.h"
#include "services/api/list_reply.h"
#include "services/api/outbound_publish.h"
#include "services/api/wind_down.h"

#define MAX_SESSIONS   50
#define MAX_NAME_BYTES 256
#define MAX_RATE       1000000
#define MAX_INTERVAL   86400000
#define DELETE_WAIT_MS 4000

static void set_int_or_null(struct json *object, const char *name, int64_t number)
{
	json_set(object, name, number == PG_INT_NULL ? json_new_null() : json_new_int(number));
}

static struct json *session_view(const struct store_session *session)
{
	struct json *view = json_new_object();
	json_set_int(view, "session_id", session->id);
	json_set_sv(view, "engine", session->engine);
	json_set_sv(view, "name", session->name);
	json_set_bool(view, "shared", session->is_shared);
	json_set_sv(view, "state", session->state);
	json_set_sv(view, "reason", session->reason);
	json_set_sv(view, "phone_number", session->phone_number);
	json_set_time(view, "since", session->since);
	json_set_time(view, "created_at", session->created_at);
	set_int_or_null(view, "rate_per_min", session->rate_per_min);
	set_int_or_null(view, "burst", session->burst);
	set_int_or_null(view, "recipient_interval_ms", session->recipient_interval_ms);
	set_int_or_null(view, "recipient_burst", session->recipient_burst);
	return view;
}

/* --- making --- */

static void read_engine(struct body_reader *reader, bool has_baileys, struct strview *ret_engine)
{
	static const struct body_text_rule rule = {BODY_REQUIRED, 64, true, true};

	if (!body_text(reader, "engine", &rule, ret_engine))
		return;
	if (sv_eq_cstr(*ret_engine, "baileys")) {
		if (!has_baileys)
			body_reader_fail(reader, "engine",
				"baileys is not available in this deployment, only sandbox is");
	} else if (!sv_eq_cstr(*ret_engine, "sandbox")) {
		body_reader_fail(reader, "engine", "must be one of sandbox, baileys");
	}
}

/* False: the call was answered. */
static bool session_read(struct api_call *call, struct store_session *ret_session)
{
	static const struct body_text_rule name_rule = {BODY_OPTIONAL, MAX_NAME_BYTES, false, true};
	struct body_reader reader;
	struct field_errors errors;

	*ret_session = (struct store_session){
		.state = SV_LIT("starting"),
		.rate_per_min = PG_INT_NULL,
		.burst = PG_INT_NULL,
		.recipient_interval_ms = PG_INT_NULL,
		.recipient_burst = PG_INT_NULL,
	};
	field_errors_init(&errors, call->pool);
	body_reader_init(&reader, call->body, "", call->pool, &errors);
	read_engine(&reader, call->api->has_baileys, &ret_session->engine);
	(void)body_text(&reader, "name", &name_rule, &ret_session->name);
	(void)body_int(
		&reader, "rate_per_min", BODY_OPTIONAL, 0, MAX_RATE, &ret_session->rate_per_min);
	(void)body_int(&reader, "burst", BODY_OPTIONAL, 1, MAX_RATE, &ret_session->burst);
	(void)body_int(&reader, "recipient_interval_ms", BODY_OPTIONAL, 0, MAX_INTERVAL,
		&ret_session->recipient_interval_ms);
	(void)body_int(&reader, "recipient_burst", BODY_OPTIONAL, 1, MAX_RATE,
		&ret_session->recipient_burst);
	body_reader_end(&reader);
	if (errors.n == 0)
		return true;
	api_reply_invalid(call, &errors);
	return false;
}

static void on_created(struct api_call *call, const struct pg_result *result)
{
	const struct store_session *session = call->state;

	if (!api_call_pg_ok(call, result))
		return;
	/* So that the next message goes through it: it may be the tenant's first own one. */
	key_cache_forget(call->api->keys, call->caller.tenant_id, NULL);
	api_reply_header(call, "Location",
		sv_from(pool_printf(call->pool, "/api/v1/sessions/%d", session->id)));
	api_reply_value(call, 201, session_view(session));
}

static void on_new_id(void *ctx, const struct pg_result *result)
{
	struct api_call *call = ctx;
	struct store_session *session = call->state;
	struct strbuf text = STRBUF_INIT;
	struct store_tx tx;

	if (!api_call_pg_ok(call, result))
		return;
	session->id = (int32_t)pg_int(result, 0, 0);
	session->since = session->created_at = clock_wall_ms();
	store_tx_init(&tx, call->pool);
	store_session_add(&tx, call->caller.tenant_id, session);
	store_audit_add(&tx, call, "session.create", call->caller.tenant_id,
		pool_printf(call->pool, "%d", session->id));
	struct json *view = session_view(session);
	json_format(view, &text);
	json_free(&view);
	struct idempotent_answer answer = {.status = 201, .body = strbuf_view(&text)};
	idempotency_commit(call, &tx, &answer, on_created);
	strbuf_deinit(&text);
}

static void on_count(void *ctx, const struct pg_result *result)
{
	struct api_call *call = ctx;

	if (!api_call_pg_ok(call, result))
		return;
	if (pg_int(result, 0, 0) >= MAX_SESSIONS)
		api_reply_problem(call, PROBLEM_CONFLICT,
			"A tenant may have %d sessions; delete one first", MAX_SESSIONS);
	else
		store_next_id(call->api->store, "sessions", on_new_id, call);
}

static void session_create(struct api_call *call)
{
	struct store_session *session = pool_new_in(call->pool, struct store_session);

	if (!session_read(call, session))
		return;
	call->state = session;
	store_session_count(call->api->store, call->caller.tenant_id, on_count, call);
}

void handle_session_create(struct api_call *call)
{
	idempotency_look_up(call, session_create);
}

/* --- showing --- */

static struct json *list_item(struct api_call *call, const struct pg_result *result, int row,
	struct strview *ret_position)
{
	struct store_session session = store_session_at(result, row, call->pool);

	*ret_position = list_id(call, session.id);
	return session_view(&session);
}

static void on_list(void *ctx, const struct pg_result *result)
{
	list_answer(ctx, result, list_item);
}

void handle_session_list(struct api_call *call)
{
	const struct list_page *page = list_begin(call, NULL);

	if (page == NULL)
		return;
	store_session_list(call->api->store, call->caller.tenant_id,
		(int32_t)list_position_id(page), page->limit + 1, on_list, call);
}

static void session_find(struct api_call *call, pg_done_fn fn)
{
	int32_t id;
	if (api_call_path_id(call, 0, "Session", &id))
		store_session_get(call->api->store, call->caller.tenant_id, id, fn, call);
}

static void on_got(void *ctx, const struct pg_result *result)
{
	struct api_call *call = ctx;

	if (!api_call_pg_found(call, result, "Session"))
		return;
	struct store_session session = store_session_at(result, 0, call->pool);
	api_reply_value(call, 200, session_view(&session));
}

void handle_session_get(struct api_call *call)
{
	session_find(call, on_got);
}

/* --- deleting --- */

static void on_wound_down(void *ctx, bool finished)
{
	struct api_call *call = ctx;
	(void)finished; /* the janitor goes on with the messages that are left */
	api_reply_empty(call);
}

static void on_deleted(void *ctx, const struct pg_result *result)
{
	struct api_call *call = ctx;
	const struct store_session *session = call->state;

	if (!api_call_pg_ok(call, result))
		return;
	key_cache_forget(call->api->keys, call->caller.tenant_id, NULL);
	outbound_publish_ended(call->api->redis, session->id);
	wind_down_run(call->api->wind_down, WIND_DOWN_SESSION, session->id, DELETE_WAIT_MS,
		on_wound_down, call);
}

static void on_to_delete(void *ctx, const struct pg_result *result)
{
	struct api_call *call = ctx;
	struct store_session *session = pool_new_in(call->pool, struct store_session);
	struct store_tx tx;

	if (!api_call_pg_ok(call, result))
		return;
	if (pg_rows(result) > 0)
		*session = store_session_at(result, 0, call->pool);
	if (pg_rows(result) == 0 || session->is_shared) {
		api_reply_not_found(call, "Session");
		return;
	}
	call->state = session;
	store_tx_init(&tx, call->pool);
	store_session_delete(&tx, call->caller.tenant_id, session->id);
	store_audit_add(&tx, call, "session.delete", call->caller.tenant_id,
		pool_printf(call->pool, "%d", session->id));
	store_run_all(call->api->store, &tx, on_deleted, call);
}

void handle_session_delete(struct api_call *call)
{
	session_find(call, on_to_delete);
}
