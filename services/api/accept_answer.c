/* What a sender of a message is told. */
#include "services/api/accept_answer.h"

#include <stdio.h>

#include "common/base/clock.h"
#include "common/io/marked_step.h"
#include "services/api/api_reply.h"
#include "services/api/backlog.h"
#include "services/api/idempotency.h"
#include "services/api/outbound_publish.h"

static void answer(struct accept_item *item, int status, const struct store_accepted *accepted)
{
	char location[64], created_at[CLOCK_RFC3339_SIZE], body[256];

	(void)snprintf(location, sizeof(location), "/api/v1/messages/%.*s", SV_ARG(accepted->id));
	clock_format(accepted->created_at, created_at);
	int len = snprintf(body, sizeof(body),
		"{\"message_id\":\"%.*s\",\"contact_id\":%d,\"status\":\"%s\",\"created_at\":\"%"
		"s\"}",
		SV_ARG(accepted->id), accepted->contact_id,
		message_status_name((enum message_status)accepted->status), created_at);
	api_reply_header(item->call, "Location", sv_from(location));
	api_reply_json(item->call, status, sv_make(body, (size_t)len));
}

static void publish(const struct accept_item *item, int64_t queue_seq)
{
	struct outbound_entry entry = {
		.message_id = item->row.id,
		.tenant_id = item->row.tenant_id,
		.session_id = item->row.session_id,
		.phone = item->row.phone,
		.queue_seq = queue_seq,
	};
	outbound_publish(item->call->api->streams, item->row.partition, &entry);
}

void accept_answer_written(struct accept_item *item, int64_t queue_seq)
{
	bool is_scheduled = item->row.due_at != PG_TIME_NULL;
	struct store_accepted accepted = {
		.id = item->row.id,
		.contact_id = item->row.contact_id,
		.status = is_scheduled ? MESSAGE_SCHEDULED : MESSAGE_QUEUED,
		.created_at = item->row.created_at,
	};

	backlog_note(item->call->api->backlog, item->row.tenant_id);
	if (!is_scheduled)
		publish(item, queue_seq);
	MARKED_STEP("api_accept_published", item->row.phone);
	answer(item, 202, &accepted);
}

static void answer_keyed(struct accept_item *item, const struct store_explanation *explanation)
{
	const struct store_accepted *accepted = &explanation->keyed;
	int status = 202;

	/* A `once` that lost its race for the ref keeps its key's row, but has no message of its
	 * own. */
	if (sv_is_null(accepted->id)) {
		accepted = &explanation->first;
		status = 200;
	}
	if (sv_is_null(accepted->id) || !bytes_equal_const_time(explanation->fingerprint.ptr,
						item->call->idempotency.fingerprint, SHA256_SIZE)) {
		idempotency_reply_mismatch(item->call);
		return;
	}
	api_reply_header(item->call, "Idempotent-Replayed", SV_LIT("true"));
	answer(item, status, accepted);
}

bool accept_answer_is_known(const struct store_explanation *explanation)
{
	return !sv_is_null(explanation->own.id) || explanation->has_key ||
	       !sv_is_null(explanation->first.id) || explanation->is_too_late;
}

void accept_answer_explained(struct accept_item *item, const struct store_explanation *explanation)
{
	/* An earlier try of ours was committed, only its answer got lost. */
	if (!sv_is_null(explanation->own.id))
		accept_answer_written(item, explanation->own.queue_seq);
	else if (explanation->has_key && !explanation->key_is_own)
		answer_keyed(item, explanation);
	else if (!sv_is_null(explanation->first.id))
		answer(item, 200, &explanation->first);
	else if (!explanation->has_key && explanation->is_too_late)
		api_reply_invalid_field(item->call, "valid_until", "must be in the future");
	else
		idempotency_reply_mismatch(item->call);
}

void accept_answer_unavailable(struct accept_item *item)
{
	if (item->unknown)
		api_reply_retry(item->call, PROBLEM_OUTCOME_UNKNOWN, 1,
			"The database did not answer in time; the message may or may not have been "
			"accepted. Repeat the call with the same Idempotency-Key to be told which");
	else
		api_reply_retry(item->call, PROBLEM_DATABASE_UNAVAILABLE, 1,
			"The database cannot be reached at the moment; nothing was accepted");
}
