/* Ids of stream entries, and a set of them with a mark for each. Pure. */
#ifndef WA_IO_STREAM_IDS_H
#define WA_IO_STREAM_IDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/attr.h"
#include "common/base/strview.h"

struct stream_id {
	uint64_t ms;
	uint64_t number;
};

#define STREAM_ID_SIZE 42 /* two 64-bit numbers, '-', NUL */

int stream_id_parse(
	struct strview text, struct stream_id *ret_id) MUST_CHECK; /* "1700000000000-0"; 0 or -1 */
void stream_id_format(struct stream_id id, char ret_text[STREAM_ID_SIZE]);

enum stream_id_mark {
	STREAM_ID_ABSENT,
	STREAM_ID_IN_HAND, /* given to the service */
	STREAM_ID_ACKED,   /* the service is done with it, Redis has not confirmed that yet */
};

struct stream_id_slot;

struct stream_ids { /* all zero is an empty set */
	struct stream_id_slot *slots;
	size_t cap; /* a power of two, or 0 */
	size_t n;
};

void stream_ids_deinit(struct stream_ids *ids);
enum stream_id_mark stream_ids_get(const struct stream_ids *ids, struct stream_id id);
/* Returns the mark that it had. STREAM_ID_ABSENT removes it. */
enum stream_id_mark stream_ids_set(
	struct stream_ids *ids, struct stream_id id, enum stream_id_mark mark);
/* Remove all that have this mark. */
void stream_ids_remove_marked(struct stream_ids *ids, enum stream_id_mark mark);

/* A list of ids. All zero is an empty one. */
struct stream_id_list {
	struct stream_id *ids;
	int n, cap;
};

void stream_id_list_push(struct stream_id_list *list, struct stream_id id);
void stream_id_list_move(struct stream_id_list *to,
	struct stream_id_list *from); /* appends all of from, which is then empty */
void stream_id_list_deinit(struct stream_id_list *list);

#endif
