/* Notes when keys were last used: each at most once a minute, many in one statement. Losing a note
 * is harmless. */
#ifndef WA_API_KEY_USE_H
#define WA_API_KEY_USE_H

#include "common/io/loop.h"

struct api_store;
struct key_use;

struct key_use *key_use_new(struct loop *loop, struct api_store *store);
void key_use_free(struct key_use **use);
void key_use_note(struct key_use *use, const char *key_id);

#endif
