/* POST /contacts, PATCH /contacts/{contact_id}. */
#include <string.h>

#include "common/base/clock.h"
#include "services/api/api_reply.h"
#include "services/api/api_store_tenants.h"
#include "services/api/contact_request.h"
#include "services/api/contact_view.h"
#include "services/api/handlers.h"
#include "services/api/idempotency.h"

/* Two callers who make the same contact: one of them finds the other's at its second look. More
   looks than that mean that contacts come and go in between. */
#define MAX_LOOKS 4

struct contact_upsert {
	struct store_contact contact; /* to be made, or the one that was found */
	int looks;
	int status;
};

static void contact_look(struct api_call *call);

static void on_committed(struct api_call *call, const struct pg_result *result)
{
	const struct contact_upsert *upsert = call->state;

	if (pg_status(result) == PG_FAILED &&
		strcmp(pg_constraint(result), "contact_numbers_pkey") == 0) {
		contact_look(call);
		return;
	}
	if (!api_call_pg_ok(call, result))
		return;
	api_reply_header(call, "Location",
		sv_from(pool_printf(call->pool, "/api/v1/contacts/%d", upsert->contact.id)));
	api_reply_value(call, upsert->status, contact_view(&upsert->contact));
}

/* Commit the effects, if there are any, and the answer, if there is a key for it. */
static void contact_commit(struct api_call *call, struct store_tx *effects)
{
	struct contact_upsert *upsert = call->state;
	struct strbuf text = STRBUF_INIT;
	struct json *view = contact_view(&upsert->contact);

	json_format(view, &text);
	json_free(&view);
	struct idempotent_answer answer = {
		.status = upsert->status,
		.body = strbuf_view(&text),
		.contact_id = upsert->contact.id,
	};
	idempotency_commit(call, effects, &answer, on_committed);
	strbuf_deinit(&text);
}

static void on_new_id(void *ctx, const struct pg_result *result)
{
	struct api_call *call = ctx;
	struct contact_upsert *upsert = call->state;
	struct store_tx tx;

	if (!api_call_pg_ok(call, result))
		return;
	upsert->contact.id = (int32_t)pg_int(result, 0, 0);
	upsert->contact.created_at = upsert->contact.updated_at = clock_wall_ms();
	upsert->status = 201;
	store_tx_init(&tx, call->pool);
	store_contact_add(&tx, &upsert->contact);
	contact_commit(call, &tx);
}

/* Somebody has one of the numbers: that is the answer. */
static void contact_found(struct api_call *call, const struct store_contact *contact)
{
	struct contact_upsert *upsert = call->state;

	if (sv_is_null(call->idempotency.key)) {
		api_reply_value(call, 200, contact_view(contact));
		return;
	}
	struct store_tx nothing;
	store_tx_init(&nothing, call->pool);
	upsert->contact = *contact;
	upsert->status = 200;
	contact_commit(call, &nothing);
}

static void on_looked(void *ctx, const struct pg_result *result)
{
	struct api_call *call = ctx;

	if (!api_call_pg_ok(call, result))
		return;
	if (pg_rows(result) > 1) {
		api_reply_problem(call, PROBLEM_CONFLICT,
			"These numbers belong to different contacts: %d and %d",
			(int)pg_int(result, 0, 0), (int)pg_int(result, 1, 0));
	} else if (pg_rows(result) == 1) {
		struct store_contact contact = store_contact_at(result, 0, call->pool);
		contact_found(call, &contact);
	} else {
		store_next_id(call->api->store, "contacts", on_new_id, call);
	}
}

static void contact_look(struct api_call *call)
{
	struct contact_upsert *upsert = call->state;

	if (upsert->looks++ == MAX_LOOKS) {
		api_reply_retry(
			call, PROBLEM_OVERLOADED, 1, "These numbers are being changed; try again");
		return;
	}
	store_contact_of_numbers(call->api->store, call->caller.tenant_id, upsert->contact.numbers,
		upsert->contact.n_numbers, on_looked, call);
}

static void contact_create(struct api_call *call)
{
	struct contact_upsert *upsert = pool_new_in(call->pool, struct contact_upsert);
	struct store_contact_set set;
	struct field_errors errors;

	field_errors_init(&errors, call->pool);
	if (contact_request_read(call->body, true, call->pool, &errors, &upsert->contact, &set) !=
		0) {
		api_reply_invalid(call, &errors);
		return;
	}
	upsert->contact.tenant_id = call->caller.tenant_id;
	call->state = upsert;
	contact_look(call);
}

void handle_contact_create(struct api_call *call)
{
	idempotency_look_up(call, contact_create);
}

static void on_got(void *ctx, const struct pg_result *result)
{
	struct api_call *call = ctx;

	if (!api_call_pg_found(call, result, "Contact"))
		return;
	struct store_contact contact = store_contact_at(result, 0, call->pool);
	api_reply_value(call, 200, contact_view(&contact));
}

static void on_changed(void *ctx, const struct pg_result *result)
{
	struct api_call *call = ctx;
	const struct store_contact *contact = call->state;

	if (pg_status(result) == PG_FAILED &&
		strcmp(pg_constraint(result), "contact_numbers_pkey") == 0) {
		api_reply_problem(
			call, PROBLEM_CONFLICT, "One of these numbers belongs to another contact");
		return;
	}
	if (api_call_pg_ok(call, result))
		store_contact_get(call->api->store, contact->tenant_id, contact->id, on_got, call);
}

void handle_contact_change(struct api_call *call)
{
	struct store_contact *contact = pool_new_in(call->pool, struct store_contact);
	struct store_contact_set set;
	struct field_errors errors;
	struct store_tx tx;
	int32_t id;

	if (!api_call_path_id(call, 0, "Contact", &id))
		return;
	field_errors_init(&errors, call->pool);
	if (contact_request_read(call->body, false, call->pool, &errors, contact, &set) != 0) {
		api_reply_invalid(call, &errors);
		return;
	}
	contact->id = id;
	contact->tenant_id = call->caller.tenant_id;
	contact->updated_at = clock_wall_ms();
	call->state = contact;
	store_tx_init(&tx, call->pool);
	store_contact_change(&tx, contact, &set);
	store_run_all(call->api->store, &tx, on_changed, call);
}
