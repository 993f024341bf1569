/* Names of the streams: see docs/streams.md. */
#include <stdio.h>

#include "common/base/check.h"
#include "common/model/partition.h"
#include "common/model/stream_codec.h"

void stream_name_outbound(int partition, char ret_name[STREAM_NAME_SIZE])
{
	ASSERT(partition >= 0 && partition < OUTBOUND_PARTITIONS);
	(void)snprintf(ret_name, STREAM_NAME_SIZE, "outbound.%d", partition);
}

void stream_name_outcome(int partition, char ret_name[STREAM_NAME_SIZE])
{
	ASSERT(partition >= 0 && partition < OUTBOUND_PARTITIONS);
	(void)snprintf(ret_name, STREAM_NAME_SIZE, "outcome.%d", partition);
}

void stream_name_dispatch(int session_id, char ret_name[STREAM_NAME_SIZE])
{
	ASSERT(session_id > 0);
	(void)snprintf(ret_name, STREAM_NAME_SIZE, "dispatch.%d", session_id);
}

void stream_name_events(int partition, char ret_name[STREAM_NAME_SIZE])
{
	ASSERT(partition >= 0 && partition < EVENT_PARTITIONS);
	(void)snprintf(ret_name, STREAM_NAME_SIZE, "events.%d", partition);
}
