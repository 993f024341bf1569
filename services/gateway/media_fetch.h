/* Fetches one media file, hashing it while it comes. The guard, the deadline and the size limit
 * hold over all of it. */
#ifndef WA_GATEWAY_MEDIA_FETCH_H
#define WA_GATEWAY_MEDIA_FETCH_H

#include <stdint.h>

#include "common/io/http_client.h"
#include "services/gateway/media_type.h"
#include "services/gateway/media_verdict.h"

#define MEDIA_SHA256_SIZE 65 /* hex and a NUL */

struct media_file { /* views live until the callback returns */
	enum media_verdict verdict;
	const char *why; /* of LATER and NEVER, for people; never the URL */
	struct strview bytes;
	char sha256[MEDIA_SHA256_SIZE];
	char content_type[MEDIA_TYPE_SIZE];
};

struct media_fetch;
/* The fetch is gone when fn returns. */
typedef void (*media_fetch_fn)(void *ctx, const struct media_file *file);

struct media_fetch *media_fetch_start(struct http_client *client, struct strview url,
	int64_t max_bytes, int64_t timeout_ms, media_fetch_fn fn, void *ctx);
void media_fetch_cancel(struct media_fetch **fetch); /* fn is not called */
#endif
