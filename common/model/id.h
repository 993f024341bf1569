/* Opaque public ids: a prefix and a ULID (48 bits of time, 80 random, Crockford base 32, 26
   characters): sortable by creation. */
#ifndef WA_MODEL_ID_H
#define WA_MODEL_ID_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/strview.h"

#define ID_SIZE 40 /* longest prefix, 26 characters, NUL */

/* prefix without its underscore: "msg", "wh", "key", "sa". Ids of one process are strictly
   increasing. */
void id_new(const char *prefix, int64_t wall_ms, char ret_id[ID_SIZE]);
/* Is it an id of this prefix by shape? */
bool id_is(const char *prefix, struct strview text);
/* "evt_" and 16 hex digits of the event's sequence; the same as event_id() of deploy/sql. */
void id_of_event(int64_t sequence, char ret_id[ID_SIZE]);
int id_parse_event(struct strview text, int64_t *ret_sequence); /* 0 or -1 */

/* "3EB0" and 18 upper-case hex digits, as WhatsApp Web makes them, and a NUL. */
#define WA_MESSAGE_ID_SIZE 24
void id_new_wa_message(char ret_id[WA_MESSAGE_ID_SIZE]);

#endif
