/* /tenants: the operator makes, shows and changes tenants. */
#include "common/base/clock.h"
#include "services/api/api_reply.h"
#include "services/api/api_store_audit.h"
#include "services/api/api_store_tenants.h"
#include "services/api/body_reader.h"
#include "services/api/handlers.h"
#include "services/api/idempotency.h"
#include "services/api/key_cache.h"
#include "services/api/list_reply.h"

#define MAX_NAME_BYTES        256
#define MAX_DESCRIPTION_BYTES 2000
#define MAX_BACKLOG           100000000
#define MAX_RATE              10000000

static void set_int_or_null(struct json *object, const char *name, int64_t number)
{
	json_set(object, name, number == PG_INT_NULL ? json_new_null() : json_new_int(number));
}

static struct json *tenant_view(const struct store_tenant *tenant)
{
	struct json *view = json_new_object();
	json_set_int(view, "tenant_id", tenant->id);
	json_set_sv(view, "name", tenant->name);
	json_set_sv(view, "description", tenant->description);
	json_set_bool(view, "sandbox", tenant->sandbox);
	set_int_or_null(view, "backlog_cap", tenant->backlog_cap);
	set_int_or_null(view, "rate_per_min", tenant->rate_per_min);
	json_set_time(view, "created_at", tenant->created_at);
	json_set_time(view, "updated_at", tenant->updated_at);
	return view;
}

/* 0 in a limit stands for the deployment's own. */
static bool read_limit(
	struct body_reader *reader, const char *name, int64_t max, int64_t *ret_limit)
{
	int64_t limit;
	if (!body_int(reader, name, BODY_OPTIONAL, 0, max, &limit))
		return false;
	*ret_limit = limit == 0 ? PG_INT_NULL : limit;
	return true;
}

/* False: the call was answered. */
static bool tenant_read(struct api_call *call, bool is_new, struct store_tenant *ret_tenant,
	struct store_tenant_set *ret_set)
{
	const struct body_text_rule name_rule = {
		is_new ? BODY_REQUIRED : BODY_OPTIONAL, MAX_NAME_BYTES, false, true};
	static const struct body_text_rule description_rule = {
		BODY_OPTIONAL, MAX_DESCRIPTION_BYTES, true, false};
	struct body_reader reader;
	struct field_errors errors;

	field_errors_init(&errors, call->pool);
	body_reader_init(&reader, call->body, "", call->pool, &errors);
	ret_set->name = body_text(&reader, "name", &name_rule, &ret_tenant->name);
	ret_set->description =
		body_text(&reader, "description", &description_rule, &ret_tenant->description);
	if (is_new)
		(void)body_bool(&reader, "sandbox", &ret_tenant->sandbox);
	ret_set->backlog_cap =
		read_limit(&reader, "backlog_cap", MAX_BACKLOG, &ret_tenant->backlog_cap);
	ret_set->rate_per_min =
		read_limit(&reader, "rate_per_min", MAX_RATE, &ret_tenant->rate_per_min);
	body_reader_end(&reader);
	if (errors.n > 0) {
		api_reply_invalid(call, &errors);
		return false;
	}
	if (ret_tenant->description.len == 0)
		ret_tenant->description = SV_NULL;
	return true;
}

static void on_created(struct api_call *call, const struct pg_result *result)
{
	const struct store_tenant *tenant = call->state;

	if (!api_call_pg_ok(call, result))
		return;
	api_reply_header(call, "Location",
		sv_from(pool_printf(call->pool, "/api/v1/tenants/%d", tenant->id)));
	api_reply_value(call, 201, tenant_view(tenant));
}

static void on_new_id(void *ctx, const struct pg_result *result)
{
	struct api_call *call = ctx;
	struct store_tenant *tenant = call->state;
	struct strbuf text = STRBUF_INIT;
	struct store_tx tx;

	if (!api_call_pg_ok(call, result))
		return;
	tenant->id = (int32_t)pg_int(result, 0, 0);
	store_tx_init(&tx, call->pool);
	store_tenant_add(&tx, tenant);
	store_audit_add(&tx, call, "tenant.create", tenant->id, NULL);
	struct json *view = tenant_view(tenant);
	json_format(view, &text);
	json_free(&view);
	struct idempotent_answer answer = {.status = 201, .body = strbuf_view(&text)};
	idempotency_commit(call, &tx, &answer, on_created);
	strbuf_deinit(&text);
}

static void tenant_create(struct api_call *call)
{
	struct store_tenant *tenant = pool_new_in(call->pool, struct store_tenant);
	struct store_tenant_set set;

	tenant->backlog_cap = PG_INT_NULL;
	tenant->rate_per_min = PG_INT_NULL;
	if (!tenant_read(call, true, tenant, &set))
		return;
	tenant->created_at = tenant->updated_at = clock_wall_ms();
	call->state = tenant;
	store_next_id(call->api->store, "tenants", on_new_id, call);
}

void handle_tenant_create(struct api_call *call)
{
	idempotency_look_up(call, tenant_create);
}

static struct json *list_item(
	struct api_call *call, const struct pg_result *result, int row, struct strview *ret_position)
{
	struct store_tenant tenant = store_tenant_at(result, row, call->pool);

	*ret_position = list_id(call, tenant.id);
	return tenant_view(&tenant);
}

static void on_list(void *ctx, const struct pg_result *result)
{
	list_answer(ctx, result, list_item);
}

void handle_tenant_list(struct api_call *call)
{
	const struct list_page *page = list_begin(call, NULL);

	if (page == NULL)
		return;
	store_tenant_list(
		call->api->store, (int32_t)list_position_id(page), page->limit + 1, on_list, call);
}

static void on_got(void *ctx, const struct pg_result *result)
{
	struct api_call *call = ctx;

	if (!api_call_pg_found(call, result, "Tenant"))
		return;
	struct store_tenant tenant = store_tenant_at(result, 0, call->pool);
	api_reply_value(call, 200, tenant_view(&tenant));
}

void handle_tenant_get(struct api_call *call)
{
	int32_t id;
	if (api_call_path_id(call, 0, "Tenant", &id))
		store_tenant_get(call->api->store, id, on_got, call);
}

static void on_changed(void *ctx, const struct pg_result *result)
{
	struct api_call *call = ctx;
	int32_t id;

	if (!api_call_pg_ok(call, result) || !api_call_path_id(call, 0, "Tenant", &id))
		return;
	key_cache_forget(call->api->keys, id, NULL);
	store_tenant_get(call->api->store, id, on_got, call);
}

/* A change that was read, until its tenant is known to exist. */
struct tenant_change {
	struct store_tenant tenant;
	struct store_tenant_set set;
};

static void on_found(void *ctx, const struct pg_result *result)
{
	struct api_call *call = ctx;
	struct tenant_change *change = call->state;
	struct store_tx tx;

	if (!api_call_pg_found(call, result, "Tenant"))
		return;
	store_tx_init(&tx, call->pool);
	store_tenant_change(&tx, &change->tenant, &change->set);
	store_audit_add(&tx, call, "tenant.change", change->tenant.id, NULL);
	store_run_all(call->api->store, &tx, on_changed, call);
}

void handle_tenant_change(struct api_call *call)
{
	struct tenant_change *change = pool_new_in(call->pool, struct tenant_change);

	if (!api_call_path_id(call, 0, "Tenant", &change->tenant.id) ||
		!tenant_read(call, false, &change->tenant, &change->set))
		return;
	change->tenant.updated_at = clock_wall_ms();
	call->state = change;
	store_tenant_get(call->api->store, change->tenant.id, on_found, call);
}
