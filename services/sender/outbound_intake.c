/* An entry is a copy of a row; the queue only needs to know where it stands. */
#include "services/sender/outbound_intake.h"

#include "common/model/partition.h"

int outbound_intake_take(struct send_queue *queue, int partition, struct strview payload,
	struct pool *scratch, int64_t now_ms, struct err *err)
{
	struct outbound_entry entry;
	if (outbound_entry_decode(payload, scratch, &entry, err) < 0) {
		return -1;
	}
	struct conversation_key key = {partition, (int32_t)entry.session_id, entry.phone};
	/* Two owners for one conversation would be the end of its order. */
	if (partition_of_conversation(key.session_id, key.phone) != partition) {
		return err_set(err, "belongs to partition %d",
			partition_of_conversation(key.session_id, key.phone));
	}
	struct send_message message = {
		.id = entry.message_id,
		.queue_seq = entry.queue_seq,
		.tenant_id = (int32_t)entry.tenant_id,
	};
	(void)send_queue_add(queue, &key, &message, now_ms);
	return 0;
}
