/* Stored answers. */
#include "services/api/idempotency.h"

#include <string.h>

#include "common/base/strbuf.h"
#include "services/api/api_reply.h"
#include "services/api/api_store_idempotency.h"

#define KEY_MAX_BYTES 255

/* The characters of a key: visible ASCII. Inside quotes '\' escapes (RFC 9651, strings). */
static bool key_unquote(struct strview text, struct pool *pool, struct strview *ret_key)
{
	bool quoted = text.len >= 2 && text.ptr[0] == '"' && text.ptr[text.len - 1] == '"';
	char *key = pool_alloc(pool, text.len + 1);
	size_t len = 0;

	if (quoted)
		text = sv_make(text.ptr + 1, text.len - 2);
	for (size_t i = 0; i < text.len; i++) {
		if (quoted && text.ptr[i] == '\\' && i + 1 < text.len)
			i++;
		else if (quoted && text.ptr[i] == '"')
			return false;
		if (text.ptr[i] <= ' ' || text.ptr[i] > '~')
			return false;
		key[len++] = text.ptr[i];
	}
	*ret_key = sv_make(key, len);
	return len > 0 && len <= KEY_MAX_BYTES;
}

static void fingerprint(struct api_call *call)
{
	struct strbuf text = STRBUF_INIT;
	strbuf_append_cstr(&text, http_method_name(http_request_method(call->http)));
	strbuf_append_char(&text, '\0');
	strbuf_append_sv(&text, http_request_path(call->http));
	strbuf_append_char(&text, '\0');
	if (call->body != NULL)
		json_format_canonical(call->body, &text);
	sha256(strbuf_view(&text), call->idempotency.fingerprint);
	strbuf_deinit(&text);
}

bool idempotency_read(struct api_call *call)
{
	struct strview header = http_request_header(call->http, "Idempotency-Key");

	if (sv_is_null(header) || !call->route->makes)
		return true;
	if (!key_unquote(sv_trim(header), call->pool, &call->idempotency.key)) {
		api_reply_invalid_field(call, "Idempotency-Key",
			"must be 1 to 255 visible ASCII characters, bare or in double quotes");
		return false;
	}
	fingerprint(call);
	return true;
}

void idempotency_reply_mismatch(struct api_call *call)
{
	api_reply_problem(call, PROBLEM_IDEMPOTENCY_MISMATCH,
		"This Idempotency-Key was used with another request");
}

struct lookup {
	void (*fn)(struct api_call *call); /* NULL: the row must be there */
};

static void on_stored(void *ctx, const struct pg_result *result)
{
	struct api_call *call = ctx;
	struct lookup *lookup = call->state;

	if (!api_call_pg_ok(call, result))
		return;
	if (pg_rows(result) == 0) {
		call->state = NULL;
		if (lookup->fn != NULL)
			lookup->fn(call);
		else /* It was there a moment ago: the janitor has just dropped it. */
			api_reply_retry(call, PROBLEM_IDEMPOTENCY_IN_FLIGHT, 1,
				"Another request with this Idempotency-Key is being handled");
		return;
	}
	struct store_idempotent stored = store_idempotent_row(result, 0);
	if (!bytes_equal_const_time(
		    stored.fingerprint.ptr, call->idempotency.fingerprint, SHA256_SIZE) ||
		sv_is_null(stored.response)) {
		idempotency_reply_mismatch(call);
		return;
	}
	api_reply_header(call, "Idempotent-Replayed", SV_LIT("true"));
	api_reply_json(call, stored.status, stored.response);
}

static void look_up(struct api_call *call, void (*fn)(struct api_call *call))
{
	struct lookup *lookup = pool_new_in(call->pool, struct lookup);
	lookup->fn = fn;
	call->state = lookup;
	store_idempotent_find(
		call->api->store, call->caller.tenant_id, call->idempotency.key, on_stored, call);
}

void idempotency_look_up(struct api_call *call, void (*fn)(struct api_call *call))
{
	if (sv_is_null(call->idempotency.key))
		fn(call);
	else
		look_up(call, fn);
}

struct commit {
	struct api_call *call;
	void (*fn)(struct api_call *call, const struct pg_result *result);
};

static void on_committed(void *ctx, const struct pg_result *result)
{
	struct commit *commit = ctx;

	if (pg_status(result) == PG_FAILED &&
		strcmp(pg_constraint(result), "idempotency_keys_pkey") == 0)
		look_up(commit->call, NULL);
	else
		commit->fn(commit->call, result);
}

void idempotency_commit(struct api_call *call, struct store_tx *effects,
	const struct idempotent_answer *answer,
	void (*fn)(struct api_call *call, const struct pg_result *result))
{
	struct commit *commit = pool_new_in(call->pool, struct commit);
	struct store_tx tx;

	*commit = (struct commit){call, fn};
	store_tx_init(&tx, call->pool);
	if (!sv_is_null(call->idempotency.key)) {
		struct store_idempotent row = {
			.key = call->idempotency.key,
			.fingerprint = sv_make(call->idempotency.fingerprint, SHA256_SIZE),
			.status = answer->status,
			.response = answer->body,
			.contact_id = answer->contact_id,
		};
		store_idempotent_add(&tx, call->caller.tenant_id, &row);
	}
	store_tx_append(&tx, effects);
	store_run_all(call->api->store, &tx, on_committed, commit);
}
