/* (session, phone) to conversation. Pure; part of the send queue. */
#ifndef WA_SENDER_CONVERSATION_MAP_H
#define WA_SENDER_CONVERSATION_MAP_H

#include <stddef.h>

#include "services/sender/conversation.h"

struct conversation_map {
	struct conversation **chains;
	size_t n;
	size_t cap; /* a power of two, or 0 */
};

void conversation_map_init(struct conversation_map *map);
void conversation_map_deinit(struct conversation_map *map); /* conversations are the caller's */
struct conversation *conversation_map_find(
	const struct conversation_map *map, int32_t session_id, struct strview phone);
void conversation_map_put(
	struct conversation_map *map, struct conversation *conversation); /* must not be there */
void conversation_map_remove(
	struct conversation_map *map, struct conversation *conversation); /* must be there */

#endif
