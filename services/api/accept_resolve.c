/* Whom a message goes to and through which session, where the caches do not know. */
#include <string.h>

#include "common/base/check.h"
#include "services/api/accept_item.h"
#include "services/api/api_reply.h"

#define MAX_RESOLVES 4

static struct store_resolve item_question(const struct accept_item *item)
{
	const struct message_request *request = item->request;
	return (struct store_resolve){
		.tenant_id = item->row.tenant_id,
		.contact_id = (int32_t)request->contact_id,
		.phone = item->row.any_number ? sv_from(request->phone) : SV_NULL,
		.session_id = item->named_session ? (int32_t)request->session_id : 0,
	};
}

static void on_contact_made(void *ctx, const struct pg_result *result)
{
	struct accept_item *item = ctx;
	/* Somebody else may have made it at the same time: looking again tells. */
	if (pg_status(result) == PG_OK)
		accept_item_resolve_later(item);
	else
		accept_item_unavailable(item);
}

/* Nobody has the number yet. */
static void item_make_contact(struct accept_item *item)
{
	struct store_resolve question = item_question(item);
	accept_item_set_state(item, ACCEPT_RESOLVING);
	store_contacts_of_phones(item->call->api->store, &question, 1, on_contact_made, item);
}

static void item_no_session(struct accept_item *item)
{
	accept_item_leave(item);
	if (item->named_session)
		api_reply_invalid_field(item->call, "session_id", "is no session of yours");
	else
		api_reply_problem(item->call, PROBLEM_CONFLICT,
			"There is no session to send through; make one with POST /sessions");
}

static void item_no_contact(struct accept_item *item)
{
	accept_item_leave(item);
	api_reply_not_found(item->call, "Contact");
}

static void item_resolved(struct accept_item *item, const struct store_resolved *resolved)
{
	if (resolved->session_id == 0) {
		accept_item_unless_repeated(item, item_no_session);
		return;
	}
	item->row.session_id = resolved->session_id;
	if (resolved->contact_id != 0) {
		item->row.contact_id = resolved->contact_id;
		memcpy(item->phone, resolved->phone.ptr, resolved->phone.len);
		item->phone[resolved->phone.len] = '\0';
		if (!item->row.any_number)
			contact_cache_put(item->accept->contacts, item->row.tenant_id,
				item->row.contact_id, item->phone);
		accept_item_make_ready(item);
	} else if (item->row.any_number) {
		accept_item_unless_repeated(item, item_make_contact);
	} else {
		accept_item_unless_repeated(item, item_no_contact);
	}
}

static void on_resolved(void *ctx, const struct pg_result *result)
{
	struct message_accept *accept = ctx;
	int n = accept->n_resolving;

	accept->n_resolving = 0;
	loop_turn_request(accept->turn);
	if (pg_status(result) != PG_OK) {
		for (int i = 0; i < n; i++)
			accept_item_unavailable(accept->resolving[i]);
		return;
	}
	ASSERT(pg_rows(result) == n);
	for (int i = 0; i < n; i++) {
		struct store_resolved resolved = store_resolved_at(result, i);
		ASSERT(resolved.question >= 0 && resolved.question < n);
		ASSERT(resolved.phone.len < PHONE_SIZE);
		item_resolved(accept->resolving[resolved.question], &resolved);
	}
}

void accept_resolve_next(struct message_accept *accept)
{
	struct store_resolve questions[STORE_ACCEPT_MAX];
	int n = 0;

	if (accept->n_resolving > 0)
		return;
	while (n < STORE_ACCEPT_MAX && accept->unresolved.n > 0) {
		struct accept_item *item = accept_queue_pop(&accept->unresolved);
		if (item->resolves++ == MAX_RESOLVES) {
			accept_item_leave(item);
			api_reply_retry(item->call, PROBLEM_OVERLOADED, 1,
				"This contact is being changed at the moment; try again");
			continue;
		}
		accept_item_set_state(item, ACCEPT_RESOLVING);
		questions[n] = item_question(item);
		accept->resolving[n++] = item;
	}
	if (n == 0)
		return;
	accept->n_resolving = n;
	store_resolve(accept->api->store, questions, n, on_resolved, accept);
}
