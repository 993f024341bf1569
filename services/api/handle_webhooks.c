/* /webhooks: registering endpoints, showing, changing, deleting, new secrets. */
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/rng.h"
#include "common/model/event_type.h"
#include "common/model/id.h"
#include "services/api/api_reply.h"
#include "services/api/api_store_audit.h"
#include "services/api/api_store_webhooks.h"
#include "services/api/body_reader.h"
#include "services/api/handlers.h"
#include "services/api/idempotency.h"
#include "services/api/list_reply.h"

#define MAX_WEBHOOKS          50
#define MAX_DESCRIPTION_BYTES 2000
#define SECRET_BYTES          32
#define DEFAULT_OVERLAP_S     86400
#define MAX_OVERLAP_S         (30 * 86400)

static struct json *events_view(int mask)
{
	struct json *names = json_new_array();
	for (int type = 1; type <= EVENT_SESSION_DISCONNECTED; type++) {
		if ((mask & 1 << type) != 0)
			json_push(names,
				json_new_string(sv_from(event_type_name((enum event_type)type))));
	}
	return names;
}

static struct json *webhook_view(const struct store_webhook *webhook)
{
	struct json *view = json_new_object();
	json_set_sv(view, "webhook_id", webhook->public_id);
	json_set_sv(view, "url", webhook->url);
	json_set(view, "events", events_view(webhook->event_mask));
	json_set_bool(view, "active", webhook->active);
	json_set_sv(view, "description", webhook->description);
	json_set_time(view, "created_at", webhook->created_at);
	json_set_time(view, "updated_at", webhook->updated_at);
	json_set_time(view, "disabled_at", webhook->disabled_at);
	json_set_sv(view, "disabled_reason", webhook->disabled_reason);
	json_set_time(view, "failing_since", webhook->failing_since);
	return view;
}

/* --- reading --- */

static bool read_url(struct api_call *call, struct body_reader *reader, enum body_need need,
	struct strview *ret_url)
{
	const struct body_text_rule rule = {need, URL_MAX_BYTES, false, true};
	struct err err;
	if (!body_text(reader, "url", &rule, ret_url))
		return false;
	if (url_guard_check_url(call->api->guard, *ret_url, &err) == 0)
		return true;
	body_reader_fail(reader, "url", "cannot be used: %s", err.text);
	return false;
}

static bool read_events(struct body_reader *reader, enum body_need need, int *ret_mask)
{
	const struct json *list;
	enum event_type type;

	if (!body_array(reader, "events", need, EVENT_TYPE_LAST, &list))
		return false;
	for (size_t i = 0; i < json_array_len(list); i++) {
		const struct json *item = json_array_get(list, i);
		if (json_type(item) == JSON_STRING &&
			event_type_parse(json_string(item), &type) == 0)
			*ret_mask |= 1 << (int)type;
		else
			body_reader_fail(reader, pool_printf(reader->pool, "events[%zu]", i),
				"is no event; see /docs for their names");
	}
	return true;
}

/* False: the call was answered. */
static bool webhook_read(struct api_call *call, bool is_new, struct store_webhook *ret_webhook,
	struct store_webhook_set *ret_set)
{
	static const struct body_text_rule description_rule = {
		BODY_OPTIONAL, MAX_DESCRIPTION_BYTES, true, false};
	enum body_need need = is_new ? BODY_REQUIRED : BODY_OPTIONAL;
	struct body_reader reader;
	struct field_errors errors;

	field_errors_init(&errors, call->pool);
	body_reader_init(&reader, call->body, "", call->pool, &errors);
	ret_set->url = read_url(call, &reader, need, &ret_webhook->url);
	ret_set->events = read_events(&reader, need, &ret_webhook->event_mask);
	ret_set->active = body_bool(&reader, "active", &ret_webhook->active);
	ret_set->description =
		body_text(&reader, "description", &description_rule, &ret_webhook->description);
	body_reader_end(&reader);
	if (errors.n > 0) {
		api_reply_invalid(call, &errors);
		return false;
	}
	if (ret_webhook->description.len == 0)
		ret_webhook->description = SV_NULL;
	ret_webhook->tenant_id = call->caller.tenant_id;
	ret_webhook->updated_at = clock_wall_ms();
	return true;
}

/* --- registering --- */

struct new_webhook {
	struct store_webhook row;
	char id[ID_SIZE];
	struct strbuf secret; /* "whsec_…", shown once */
	int64_t overlap_ms;   /* how long those before it go on signing */
};

static void secret_drop(void *arg)
{
	struct strbuf *secret = arg;
	mem_wipe(secret->data, secret->len);
	strbuf_deinit(secret);
}

static void secret_new(struct strbuf *secret)
{
	uint8_t bytes[SECRET_BYTES];
	rng_bytes(bytes, sizeof(bytes));
	strbuf_append_cstr(secret, "whsec_");
	base64_encode(sv_make(bytes, sizeof(bytes)), secret);
	mem_wipe(bytes, sizeof(bytes));
}

static void reply_with_secret(struct api_call *call, const struct new_webhook *webhook)
{
	struct json *view = webhook_view(&webhook->row);
	json_set_sv(view, "secret", strbuf_view(&webhook->secret));
	api_reply_value(call, 201, view);
}

static void on_registered(struct api_call *call, const struct pg_result *result)
{
	struct new_webhook *webhook = call->state;

	if (!api_call_pg_ok(call, result))
		return;
	api_reply_header(call, "Location",
		sv_from(pool_printf(call->pool, "/api/v1/webhooks/%s", webhook->id)));
	reply_with_secret(call, webhook);
}

/* A replayed answer does not show the secret again. */
static void commit_without_secret(struct api_call *call, const struct new_webhook *webhook,
	struct store_tx *tx, void (*fn)(struct api_call *call, const struct pg_result *result))
{
	struct strbuf text = STRBUF_INIT;
	struct json *view = webhook_view(&webhook->row);

	json_format(view, &text);
	json_free(&view);
	struct idempotent_answer answer = {.status = 201, .body = strbuf_view(&text)};
	idempotency_commit(call, tx, &answer, fn);
	strbuf_deinit(&text);
}

static void webhook_commit(struct api_call *call, struct new_webhook *webhook)
{
	struct strbuf sealed = STRBUF_INIT;
	struct store_tx tx;
	const char *context = pool_printf(call->pool, "webhook:%s", webhook->id);

	secret_box_seal(
		call->api->secrets, sv_from(context), strbuf_view(&webhook->secret), &sealed);
	store_tx_init(&tx, call->pool);
	store_webhook_add(&tx, &webhook->row, strbuf_view(&sealed));
	store_audit_add(&tx, call, "webhook.create", call->caller.tenant_id, webhook->id);
	commit_without_secret(call, webhook, &tx, on_registered);
	strbuf_deinit(&sealed);
}

static void on_count(void *ctx, const struct pg_result *result)
{
	struct api_call *call = ctx;

	if (!api_call_pg_ok(call, result))
		return;
	if (pg_int(result, 0, 0) >= MAX_WEBHOOKS)
		api_reply_problem(call, PROBLEM_CONFLICT,
			"A tenant may have %d webhooks; delete one first", MAX_WEBHOOKS);
	else
		webhook_commit(call, call->state);
}

static void webhook_register(struct api_call *call)
{
	struct new_webhook *webhook = pool_new_in(call->pool, struct new_webhook);
	struct store_webhook_set set;

	webhook->row.active = true;
	if (!webhook_read(call, true, &webhook->row, &set))
		return;
	id_new("wh", webhook->row.updated_at, webhook->id);
	webhook->row.public_id = sv_from(webhook->id);
	webhook->row.created_at = webhook->row.updated_at;
	webhook->row.disabled_at = webhook->row.failing_since = PG_TIME_NULL;
	secret_new(&webhook->secret);
	pool_on_free(call->pool, secret_drop, &webhook->secret);
	call->state = webhook;
	store_webhook_count(call->api->store, call->caller.tenant_id, on_count, call);
}

void handle_webhook_register(struct api_call *call)
{
	idempotency_look_up(call, webhook_register);
}

/* --- showing --- */

static struct json *list_item(
	struct api_call *call, const struct pg_result *result, int row, struct strview *ret_position)
{
	struct store_webhook webhook = store_webhook_at(result, row, call->pool);

	*ret_position = webhook.public_id;
	return webhook_view(&webhook);
}

static void on_list(void *ctx, const struct pg_result *result)
{
	list_answer(ctx, result, list_item);
}

void handle_webhook_list(struct api_call *call)
{
	const struct list_page *page = list_begin(call, NULL);

	if (page == NULL)
		return;
	store_webhook_list(call->api->store, call->caller.tenant_id, page->after, page->limit + 1,
		on_list, call);
}

static void on_got(void *ctx, const struct pg_result *result)
{
	struct api_call *call = ctx;

	if (!api_call_pg_found(call, result, "Webhook"))
		return;
	struct store_webhook webhook = store_webhook_at(result, 0, call->pool);
	api_reply_value(call, 200, webhook_view(&webhook));
}

static void webhook_find(struct api_call *call, pg_done_fn fn)
{
	if (api_call_path_opaque(call, 0, "wh", "Webhook"))
		store_webhook_get(
			call->api->store, call->caller.tenant_id, call->params[0], fn, call);
}

void handle_webhook_get(struct api_call *call)
{
	webhook_find(call, on_got);
}

/* --- changing --- */

struct webhook_change {
	struct store_webhook row;
	struct store_webhook_set set;
};

static void on_changed(void *ctx, const struct pg_result *result)
{
	struct api_call *call = ctx;
	if (api_call_pg_ok(call, result))
		webhook_find(call, on_got);
}

static void on_to_change(void *ctx, const struct pg_result *result)
{
	struct api_call *call = ctx;
	const struct webhook_change *change = call->state;
	struct store_tx tx;

	if (!api_call_pg_found(call, result, "Webhook"))
		return;
	store_tx_init(&tx, call->pool);
	store_webhook_change(&tx, &change->row, &change->set);
	store_audit_add(&tx, call, "webhook.change", call->caller.tenant_id,
		pool_sv_cstr(call->pool, call->params[0]));
	store_run_all(call->api->store, &tx, on_changed, call);
}

void handle_webhook_change(struct api_call *call)
{
	struct webhook_change *change = pool_new_in(call->pool, struct webhook_change);

	if (!webhook_read(call, false, &change->row, &change->set))
		return;
	change->row.public_id = call->params[0];
	call->state = change;
	webhook_find(call, on_to_change);
}

static void on_deleted(void *ctx, const struct pg_result *result)
{
	struct api_call *call = ctx;
	if (api_call_pg_ok(call, result))
		api_reply_empty(call);
}

static void on_to_delete(void *ctx, const struct pg_result *result)
{
	struct api_call *call = ctx;
	struct store_tx tx;

	if (!api_call_pg_found(call, result, "Webhook"))
		return;
	store_tx_init(&tx, call->pool);
	store_webhook_delete(&tx, call->caller.tenant_id, call->params[0]);
	store_audit_add(&tx, call, "webhook.delete", call->caller.tenant_id,
		pool_sv_cstr(call->pool, call->params[0]));
	store_run_all(call->api->store, &tx, on_deleted, call);
}

void handle_webhook_delete(struct api_call *call)
{
	webhook_find(call, on_to_delete);
}

/* --- rotating its secret --- */

static void on_rotated(struct api_call *call, const struct pg_result *result)
{
	struct new_webhook *webhook = call->state;

	if (api_call_pg_ok(call, result))
		reply_with_secret(call, webhook);
}

static void on_to_rotate(void *ctx, const struct pg_result *result)
{
	struct api_call *call = ctx;
	struct new_webhook *webhook = call->state;
	struct strbuf sealed = STRBUF_INIT;
	struct store_tx tx;

	if (!api_call_pg_found(call, result, "Webhook"))
		return;
	webhook->row = store_webhook_at(result, 0, call->pool);
	webhook->row.updated_at = clock_wall_ms();
	const char *context =
		pool_printf(call->pool, "webhook:%.*s", SV_ARG(webhook->row.public_id));
	secret_box_seal(
		call->api->secrets, sv_from(context), strbuf_view(&webhook->secret), &sealed);
	store_tx_init(&tx, call->pool);
	store_webhook_rotate_secret(&tx, &webhook->row, strbuf_view(&sealed), webhook->overlap_ms);
	store_audit_add(&tx, call, "webhook.rotate_secret", call->caller.tenant_id,
		pool_sv_cstr(call->pool, call->params[0]));
	commit_without_secret(call, webhook, &tx, on_rotated);
	strbuf_deinit(&sealed);
}

static void webhook_rotate_secret(struct api_call *call)
{
	struct new_webhook *webhook = pool_new_in(call->pool, struct new_webhook);
	int64_t overlap_s = DEFAULT_OVERLAP_S;
	struct field_errors errors;
	struct body_reader reader;

	field_errors_init(&errors, call->pool);
	body_reader_init(&reader, call->body, "", call->pool, &errors);
	(void)body_int(&reader, "overlap_s", BODY_OPTIONAL, 0, MAX_OVERLAP_S, &overlap_s);
	body_reader_end(&reader);
	if (errors.n > 0) {
		api_reply_invalid(call, &errors);
		return;
	}
	webhook->overlap_ms = overlap_s * 1000;
	secret_new(&webhook->secret);
	pool_on_free(call->pool, secret_drop, &webhook->secret);
	call->state = webhook;
	webhook_find(call, on_to_rotate);
}

void handle_webhook_rotate_secret(struct api_call *call)
{
	idempotency_look_up(call, webhook_rotate_secret);
}
