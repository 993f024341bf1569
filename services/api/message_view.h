/* A message as JSON. Pure. */
#ifndef WA_API_MESSAGE_VIEW_H
#define WA_API_MESSAGE_VIEW_H

#include "common/base/json.h"
#include "common/model/media_link.h"
#include "services/api/api_store_messages.h"

struct media_viewer { /* who may read messages */
	const struct media_links *links;
	int32_t tenant_id;
	int64_t now_wall_ms;
};

/* Everything but `held`. `media_url` of what a caller sent is what they gave; of all else it is a
 * link of ours that needs no key. */
struct json *message_view(const struct store_message *message, const struct media_viewer *viewer);

#endif
