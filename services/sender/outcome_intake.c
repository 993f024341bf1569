/* An outcome was committed by the gateway before it was told: it may come late or twice. */
#include "services/sender/outcome_intake.h"

#include "common/base/check.h"
#include "common/model/partition.h"

int outcome_intake_take(struct send_queue *queue, int partition, struct strview payload,
	struct pool *scratch, int64_t now_ms, enum outcome_kind *ret_kind, struct err *err)
{
	struct outcome_entry entry;
	if (outcome_entry_decode(payload, scratch, &entry, err) < 0) {
		return -1;
	}
	struct conversation_key key = {partition, (int32_t)entry.session_id, entry.phone};
	if (partition_of_conversation(key.session_id, key.phone) != partition) {
		return err_set(err, "belongs to partition %d",
			partition_of_conversation(key.session_id, key.phone));
	}
	struct send_outcome outcome = {
		.message_id = entry.message_id,
		.kind = (enum outcome_kind)entry.kind,
		.attempts = (int)entry.attempts,
		.next_in_ms = entry.next_in_ms,
	};
	(void)send_queue_outcome(queue, &key, &outcome, now_ms);
	*ret_kind = outcome.kind;
	return 0;
}

const char *outcome_kind_name(enum outcome_kind kind)
{
	switch (kind) {
	case OUTCOME_SENT:
		return "sent";
	case OUTCOME_FINAL:
		return "final";
	case OUTCOME_RETRY:
		return "retry";
	case OUTCOME_UNKNOWN:
		return "unknown";
	case OUTCOME_REFUSED:
		return "refused";
	case OUTCOME_NOT_READY:
		return "not_ready";
	case OUTCOME_NO_MEDIA:
		return "no_media";
	}
	WRONG("no such outcome");
}
