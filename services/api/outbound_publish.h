/* Tells the senders of messages that were accepted, after their commit. A lost entry costs latency
 * only: a sweep finds the row. */
#ifndef WA_API_OUTBOUND_PUBLISH_H
#define WA_API_OUTBOUND_PUBLISH_H

#include "common/io/stream_writer.h"
#include "common/model/stream_codec.h"

void outbound_publish(
	struct stream_writer *streams, int partition, const struct outbound_entry *entry);

#endif
