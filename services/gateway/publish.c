/* Rows and outcomes to entries. */
#include "services/gateway/publish.h"

#include "common/base/mem.h"
#include "common/model/partition.h"
#include "common/model/phone.h"

#define MAX_WEBHOOKS 64 /* of one event in one entry; more go into further entries */

struct publish {
	struct stream_writer *writer;
	struct gateway_stats *stats;
	struct strbuf payload;
};

struct publish *publish_new(struct stream_writer *writer, struct gateway_stats *stats)
{
	struct publish *publish = mem_new(struct publish);
	publish->writer = writer;
	publish->stats = stats;
	return publish;
}

void publish_free(struct publish **publish)
{
	if (*publish == NULL)
		return;
	strbuf_deinit(&(*publish)->payload);
	mem_free(*publish);
	*publish = NULL;
}

void publish_outcome(struct publish *publish, const struct publish_outcome *outcome)
{
	if (!phone_is(outcome->phone))
		return; /* erased since: no conversation waits for it */
	struct outcome_entry entry = {
		.message_id = outcome->message_id,
		.session_id = outcome->session_id,
		.phone = outcome->phone,
		.queue_seq = outcome->queue_seq,
		.kind = outcome->kind,
		.attempts = outcome->attempts,
		.next_in_ms = outcome->next_in_ms,
	};
	char stream[STREAM_NAME_SIZE];
	stream_name_outcome(outcome->partition, stream);
	strbuf_reset(&publish->payload);
	outcome_entry_encode(&entry, &publish->payload);
	stream_writer_add(publish->writer, stream, strbuf_view(&publish->payload));
	metric_add(publish->stats->outcomes[outcome->kind], 1);
}

static void publish_event(struct publish *publish, const struct gateway_event_row *row,
	const int64_t *webhook_ids, int n)
{
	struct event_entry entry = {
		.sequence = row->sequence,
		.created_at = row->created_at_ms,
		.tenant_id = row->tenant_id,
		.contact_id = row->contact_id,
		.message_id = row->message_id,
		.type = row->type,
		.webhook_ids = {.items = webhook_ids, .n = n},
	};
	char stream[STREAM_NAME_SIZE];
	stream_name_events(partition_of_contact(row->contact_id), stream);
	strbuf_reset(&publish->payload);
	event_entry_encode(&entry, &publish->payload);
	stream_writer_add(publish->writer, stream, strbuf_view(&publish->payload));
}

void publish_events(struct publish *publish, const struct pg_result *result)
{
	int64_t webhook_ids[MAX_WEBHOOKS];
	int n = 0;
	struct gateway_event_row last = {0};
	for (int i = 0; i < pg_rows(result); i++) {
		if (gateway_store_row_kind(result, i) != GATEWAY_ROW_EVENT)
			continue;
		struct gateway_event_row row;
		gateway_store_event_row(result, i, &row);
		if (n == MAX_WEBHOOKS || (n > 0 && row.sequence != last.sequence)) {
			publish_event(publish, &last, webhook_ids, n);
			n = 0;
		}
		last = row;
		webhook_ids[n++] = row.webhook_id;
	}
	if (n > 0)
		publish_event(publish, &last, webhook_ids, n);
}
