/* What holds a message back, as callers are told. Pure. */
#ifndef WA_API_HELD_H
#define WA_API_HELD_H

#include <stdbool.h>

#include "common/base/json.h"
#include "services/api/api_store_messages.h"

#define HELD_REASON_SIZE 32

struct held {
	char reason[HELD_REASON_SIZE];
	int64_t until; /* Unix ms; -1: not known */
};

/* What its row tells: "scheduled", "retry", "earlier_message". False: nothing. */
bool held_of_message(const struct store_message *message, int64_t now, struct held *ret_held);
/* The value of a held.<message id> key: "<reason> <until, Unix ms>". False for anything else,
 * SV_NULL as well. */
bool held_parse(struct strview text, struct held *ret_held);
struct json *held_view(const struct held *held);

#endif
