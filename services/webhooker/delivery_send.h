/* Signs and POSTs deliveries, and judges what comes back. */
#ifndef WA_WEBHOOKER_DELIVERY_SEND_H
#define WA_WEBHOOKER_DELIVERY_SEND_H

#include "common/io/http_client.h"
#include "services/webhooker/delivery_queue.h"
#include "services/webhooker/delivery_record.h"
#include "services/webhooker/endpoint_set.h"

#define SEND_RESPONSE_MAX_BYTES 16384 /* of an answer that is read; the rest is cut off */
#define SEND_EXCERPT_BYTES      1024  /* of the answer to a failed attempt that is kept */

struct delivery_send;

struct delivery_send_options {
	struct http_client *http;
	struct delivery_queue *queue;
	struct endpoint_set *endpoints;
	struct delivery_record *record;
	int64_t timeout_ms;
	int64_t (*epoch)(void *ctx, int partition); /* of the lease of that partition */
	/* An attempt has ended; end says how. */
	void (*on_end)(void *ctx, const struct store_end *end);
	void *ctx;
};

struct delivery_send *delivery_send_new(const struct delivery_send_options *options);
void delivery_send_free(struct delivery_send **send); /* none may be in flight */
void delivery_send_start(
	struct delivery_send *send, struct delivery *delivery, int64_t now_ms); /* it is SENDING */
/* Break it off; nothing is recorded. It is about to vanish from the queue. */
void delivery_send_cancel(struct delivery *delivery);

#endif
