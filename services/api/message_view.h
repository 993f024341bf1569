/* A message as JSON. Pure. */
#ifndef WA_API_MESSAGE_VIEW_H
#define WA_API_MESSAGE_VIEW_H

#include "common/base/json.h"
#include "services/api/api_store_messages.h"

/* Everything but `held`. */
struct json *message_view(const struct store_message *message);

#endif
