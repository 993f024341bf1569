/* /tenants/{tenant_id}/api-keys: the operator makes, shows, rotates and revokes a tenant's keys. A
 * key is shown once. */
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/model/id.h"
#include "common/model/permission.h"
#include "services/api/api_key.h"
#include "services/api/api_reply.h"
#include "services/api/api_store_audit.h"
#include "services/api/api_store_keys.h"
#include "services/api/api_store_tenants.h"
#include "services/api/body_reader.h"
#include "services/api/handlers.h"
#include "services/api/idempotency.h"
#include "services/api/key_cache.h"
#include "services/api/list_reply.h"

#define MAX_NAME_BYTES    256
#define MAX_OVERLAP_S     (30 * 86400)
#define DEFAULT_OVERLAP_S 3600

/* A key that is being made. */
struct new_key {
	struct store_key row;
	struct strview replaces; /* the id of the key that it is rotated from; SV_NULL */
	int64_t overlap_ms;
	char text[API_KEY_SIZE];
	char id[ID_SIZE];
	char hint[API_KEY_HINT_SIZE];
	uint8_t hash[SHA256_SIZE];
};

static struct json *permissions_view(int permissions)
{
	struct json *names = json_new_array();
	for (int i = 0; i < PERMISSION_COUNT; i++) {
		if ((permissions & 1 << i) != 0)
			json_push(names, json_new_string(sv_from(
						 permission_name((enum permission)(1 << i)))));
	}
	return names;
}

static const char *key_status(const struct store_key *key)
{
	if (key->revoked_at != PG_TIME_NULL)
		return "revoked";
	if (key->expires_at != PG_TIME_NULL && key->expires_at <= clock_wall_ms())
		return "expired";
	return "active";
}

static struct json *key_view(const struct store_key *key)
{
	struct json *view = json_new_object();
	json_set_sv(view, "key_id", key->id);
	json_set_int(view, "tenant_id", key->tenant_id);
	json_set_sv(view, "name", key->name);
	json_set(view, "permissions", permissions_view(key->permissions));
	json_set_bool(view, "strict", key->strict);
	json_set_sv(view, "hint", key->hint);
	json_set_cstr(view, "status", key_status(key));
	json_set_time(view, "created_at", key->created_at);
	json_set_time(view, "expires_at", key->expires_at);
	json_set_time(view, "revoked_at", key->revoked_at);
	json_set_time(view, "last_used_at", key->last_used_at);
	json_set_sv(view, "replaced_by", key->replaced_by);
	return view;
}

static void on_key_made(struct api_call *call, const struct pg_result *result)
{
	struct new_key *key = call->state;

	if (pg_status(result) == PG_FAILED &&
		strcmp(pg_constraint(result), "api_keys_tenant_id_fkey") == 0) {
		api_reply_not_found(call, "Tenant");
		return;
	}
	if (!api_call_pg_ok(call, result))
		return;
	if (!sv_is_null(key->replaces))
		key_cache_forget(call->api->keys, key->row.tenant_id,
			pool_sv_cstr(call->pool, key->replaces));
	struct json *view = key_view(&key->row);
	json_set_cstr(view, "api_key", key->text);
	mem_wipe(key->text, sizeof(key->text));
	api_reply_value(call, 201, view);
}

/* Everything is known: make the key's text and store its hash. */
static void key_commit(struct api_call *call, struct new_key *key, bool sandbox)
{
	struct strbuf text = STRBUF_INIT;
	struct store_tx tx;

	api_key_new(sandbox, key->text);
	api_key_hint(key->text, key->hint);
	api_key_hash(sv_from(key->text), key->hash);
	key->row.created_at = clock_wall_ms();
	id_new("key", key->row.created_at, key->id);
	key->row.id = sv_from(key->id);
	key->row.hint = sv_from(key->hint);
	key->row.hash = sv_make(key->hash, SHA256_SIZE);
	key->row.revoked_at = key->row.last_used_at = PG_TIME_NULL;
	store_tx_init(&tx, call->pool);
	store_key_add(&tx, &key->row);
	if (!sv_is_null(key->replaces))
		store_key_replace(
			&tx, key->row.tenant_id, key->replaces, key->row.id, key->overlap_ms);
	store_audit_add(&tx, call, sv_is_null(key->replaces) ? "key.create" : "key.rotate",
		key->row.tenant_id, key->id);
	struct json *view = key_view(&key->row);
	json_format(view, &text);
	json_free(&view);
	struct idempotent_answer answer = {.status = 201, .body = strbuf_view(&text)};
	idempotency_commit(call, &tx, &answer, on_key_made);
	strbuf_deinit(&text);
}

static void read_permissions(struct body_reader *reader, int *ret_permissions)
{
	const struct json *list;
	enum permission permission;

	if (!body_array(reader, "permissions", BODY_REQUIRED, PERMISSION_COUNT, &list))
		return;
	for (size_t i = 0; i < json_array_len(list); i++) {
		const struct json *item = json_array_get(list, i);
		if (json_type(item) == JSON_STRING &&
			permission_parse(json_string(item), &permission) == 0)
			*ret_permissions |= (int)permission;
		else
			body_reader_fail(reader, pool_printf(reader->pool, "permissions[%zu]", i),
				"must be one of messages:send, messages:read, contacts:read,"
				" contacts:create, webhooks:manage, sessions:manage, events:read");
	}
}

/* False: the call was answered. */
static bool key_read(struct api_call *call, struct store_key *ret_key)
{
	static const struct body_text_rule name_rule = {BODY_REQUIRED, MAX_NAME_BYTES, false, true};
	struct body_reader reader;
	struct field_errors errors;

	ret_key->expires_at = PG_TIME_NULL;
	field_errors_init(&errors, call->pool);
	body_reader_init(&reader, call->body, "", call->pool, &errors);
	(void)body_text(&reader, "name", &name_rule, &ret_key->name);
	read_permissions(&reader, &ret_key->permissions);
	(void)body_bool(&reader, "strict", &ret_key->strict);
	if (body_time(&reader, "expires_at", &ret_key->expires_at) &&
		ret_key->expires_at <= clock_wall_ms())
		body_reader_fail(&reader, "expires_at", "must be in the future");
	body_reader_end(&reader);
	if (errors.n == 0)
		return true;
	api_reply_invalid(call, &errors);
	return false;
}

static void on_tenant(void *ctx, const struct pg_result *result)
{
	struct api_call *call = ctx;

	if (!api_call_pg_found(call, result, "Tenant"))
		return;
	struct store_tenant tenant = store_tenant_at(result, 0, call->pool);
	key_commit(call, call->state, tenant.sandbox);
}

static void key_create(struct api_call *call)
{
	struct new_key *key = pool_new_in(call->pool, struct new_key);

	if (!api_call_path_id(call, 0, "Tenant", &key->row.tenant_id) || !key_read(call, &key->row))
		return;
	call->state = key;
	store_tenant_get(call->api->store, key->row.tenant_id, on_tenant, call);
}

void handle_key_create(struct api_call *call)
{
	idempotency_look_up(call, key_create);
}

static struct json *list_item(
	struct api_call *call, const struct pg_result *result, int row, struct strview *ret_position)
{
	struct store_key key = store_key_at(result, row, call->pool);

	*ret_position = key.id;
	return key_view(&key);
}

static void on_list(void *ctx, const struct pg_result *result)
{
	list_answer(ctx, result, list_item);
}

static void on_list_tenant(void *ctx, const struct pg_result *result)
{
	struct api_call *call = ctx;
	const struct list_page *page = call->state;

	if (!api_call_pg_found(call, result, "Tenant"))
		return;
	store_key_list(call->api->store, (int32_t)pg_int(result, 0, 0), page->after,
		page->limit + 1, on_list, call);
}

void handle_key_list(struct api_call *call)
{
	int32_t tenant_id;

	if (api_call_path_id(call, 0, "Tenant", &tenant_id) && list_begin(call, NULL) != NULL)
		store_tenant_get(call->api->store, tenant_id, on_list_tenant, call);
}

static void on_rotate_tenant(void *ctx, const struct pg_result *result)
{
	struct api_call *call = ctx;

	if (!api_call_pg_ok(call, result))
		return;
	struct store_tenant tenant = store_tenant_at(result, 0, call->pool);
	key_commit(call, call->state, tenant.sandbox);
}

static void on_old_key(void *ctx, const struct pg_result *result)
{
	struct api_call *call = ctx;
	struct new_key *key = call->state;

	if (!api_call_pg_found(call, result, "API key"))
		return;
	struct store_key old = store_key_at(result, 0, call->pool);
	const char *status = key_status(&old);
	if (strcmp(status, "active") != 0 || !sv_is_null(old.replaced_by)) {
		api_reply_problem(call, PROBLEM_CONFLICT,
			"Only an active key can be rotated; this one %s",
			strcmp(status, "active") != 0 ? pool_printf(call->pool, "is %s", status)
						      : "was rotated before");
		return;
	}
	key->replaces = old.id;
	key->row.name = old.name;
	key->row.permissions = old.permissions;
	key->row.strict = old.strict;
	key->row.expires_at = old.expires_at;
	store_tenant_get(call->api->store, old.tenant_id, on_rotate_tenant, call);
}

static void key_rotate(struct api_call *call)
{
	struct new_key *key = pool_new_in(call->pool, struct new_key);
	int64_t overlap_s = DEFAULT_OVERLAP_S;
	struct body_reader reader;
	struct field_errors errors;

	if (!api_call_path_id(call, 0, "Tenant", &key->row.tenant_id) ||
		!api_call_path_opaque(call, 1, "key", "API key"))
		return;
	field_errors_init(&errors, call->pool);
	body_reader_init(&reader, call->body, "", call->pool, &errors);
	(void)body_int(&reader, "overlap_s", BODY_OPTIONAL, 0, MAX_OVERLAP_S, &overlap_s);
	body_reader_end(&reader);
	if (errors.n > 0) {
		api_reply_invalid(call, &errors);
		return;
	}
	key->overlap_ms = overlap_s * 1000;
	call->state = key;
	store_key_get(call->api->store, key->row.tenant_id, call->params[1], on_old_key, call);
}

void handle_key_rotate(struct api_call *call)
{
	idempotency_look_up(call, key_rotate);
}

static void on_revoked(void *ctx, const struct pg_result *result)
{
	struct api_call *call = ctx;
	int32_t tenant_id;

	if (!api_call_pg_ok(call, result) || !api_call_path_id(call, 0, "Tenant", &tenant_id))
		return;
	key_cache_forget(call->api->keys, tenant_id, pool_sv_cstr(call->pool, call->params[1]));
	api_reply_empty(call);
}

static void on_key_to_revoke(void *ctx, const struct pg_result *result)
{
	struct api_call *call = ctx;
	struct store_tx tx;

	if (!api_call_pg_found(call, result, "API key"))
		return;
	struct store_key key = store_key_at(result, 0, call->pool);
	store_tx_init(&tx, call->pool);
	store_key_revoke(&tx, key.tenant_id, key.id);
	store_audit_add(&tx, call, "key.revoke", key.tenant_id, pool_sv_cstr(call->pool, key.id));
	store_run_all(call->api->store, &tx, on_revoked, call);
}

void handle_key_revoke(struct api_call *call)
{
	int32_t tenant_id;
	if (api_call_path_id(call, 0, "Tenant", &tenant_id) &&
		api_call_path_opaque(call, 1, "key", "API key"))
		store_key_get(call->api->store, tenant_id, call->params[1], on_key_to_revoke, call);
}
