/* Adds to outbound.{partition} and outcome.{partition}. */
#include "services/api/outbound_publish.h"

void outbound_publish(
	struct stream_writer *streams, int partition, const struct outbound_entry *entry)
{
	char stream[STREAM_NAME_SIZE];
	struct strbuf payload = STRBUF_INIT;

	stream_name_outbound(partition, stream);
	outbound_entry_encode(entry, &payload);
	stream_writer_add(streams, stream, strbuf_view(&payload));
	strbuf_deinit(&payload);
}

void outbound_publish_cancelled(
	struct stream_writer *streams, int partition, const struct outcome_entry *entry)
{
	char stream[STREAM_NAME_SIZE];
	struct strbuf payload = STRBUF_INIT;

	stream_name_outcome(partition, stream);
	outcome_entry_encode(entry, &payload);
	stream_writer_add(streams, stream, strbuf_view(&payload));
	strbuf_deinit(&payload);
}
