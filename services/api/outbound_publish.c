/* Adds to outbound.{partition} and outcome.{partition}; ends dispatch.{session}. */
#include "services/api/outbound_publish.h"

#include "common/base/attr.h"

#define EXPIRE_DEADLINE_MS 5000
/* A sender that has not yet heard of the end adds to the stream for some seconds. */
#define EXPIRE_S "600"

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

void outbound_publish_ended(struct redis_conn *redis, int32_t session_id)
{
	char stream[STREAM_NAME_SIZE];

	stream_name_dispatch(session_id, stream);
	struct strview argv[] = {SV_LIT("EXPIRE"), sv_from(stream), SV_LIT(EXPIRE_S)};
	redis_conn_command(redis, (int)array_len(argv), argv, EXPIRE_DEADLINE_MS, NULL, NULL);
}
