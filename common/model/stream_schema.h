/*
 * Every entry that crosses a stream, declared once; docs/streams.md is the prose. An entry is a
 * msgpack array: version, then the fields in this order. A new field goes to the end of its entry
 * and must have a meaning when absent (zero, empty): then old and new daemons read each other. Any
 * other change is a new version: raise it and keep decoding the one before.
 *
 * ENTRY(name, version, fields); INT is int64, TEXT is a strview (borrowed from the buffer when
 * decoded), INTS is a list of int64. No include guard: included several times on purpose.
 */
/* api → sender, outbound.{partition}: a message was accepted. */
ENTRY(outbound, 1, TEXT(message_id) INT(tenant_id) INT(session_id) TEXT(phone) INT(queue_seq))
/* sender → gateway, dispatch.{session}: try it now. */
ENTRY(dispatch, 1,
	TEXT(message_id) INT(partition) INT(partition_epoch) INT(attempt) TEXT(phone)
		INT(queue_seq))
/* gateway → sender, outcome.{partition}: how that went. kind is enum outcome_kind. next_in_ms: from
   when the entry was added. */
ENTRY(outcome, 1,
	TEXT(message_id) INT(session_id) TEXT(phone) INT(queue_seq) INT(kind) INT(attempts)
		INT(next_in_ms))
/* gateway, sender, api → webhooker, events.{partition}: these endpoints are owed this event. Times
   are Unix ms. */
ENTRY(event, 1,
	INT(sequence) INT(created_at) INT(tenant_id) INT(contact_id) TEXT(message_id) INT(type)
		INTS(webhook_ids))
