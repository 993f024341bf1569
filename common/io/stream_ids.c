/* Open addressing with linear probing; removal moves later entries back instead of leaving a
 * tombstone. */
#include "common/io/stream_ids.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/mem.h"

struct stream_id_slot {
	struct stream_id id;
	enum stream_id_mark mark;
};

#define MIN_CAP 16

static int parse_number(struct strview *text, uint64_t *ret_number)
{
	uint64_t number = 0;
	size_t len = 0;
	while (len < text->len && text->ptr[len] >= '0' && text->ptr[len] <= '9') {
		uint64_t digit = (uint64_t)(text->ptr[len] - '0');
		if (__builtin_mul_overflow(number, 10, &number) ||
			__builtin_add_overflow(number, digit, &number))
			return -1;
		len++;
	}
	text->ptr += len;
	text->len -= len;
	*ret_number = number;
	return len > 0 ? 0 : -1;
}

int stream_id_parse(struct strview text, struct stream_id *ret_id)
{
	struct stream_id id;
	if (parse_number(&text, &id.ms) != 0 || text.len == 0 || text.ptr[0] != '-')
		return -1;
	text = sv_make(text.ptr + 1, text.len - 1);
	if (parse_number(&text, &id.number) != 0 || text.len != 0)
		return -1;
	*ret_id = id;
	return 0;
}

void stream_id_format(struct stream_id id, char ret_text[STREAM_ID_SIZE])
{
	(void)snprintf(ret_text, STREAM_ID_SIZE, "%" PRIu64 "-%" PRIu64, id.ms, id.number);
}

static bool id_eq(struct stream_id a, struct stream_id b)
{
	return a.ms == b.ms && a.number == b.number;
}

static size_t home(const struct stream_ids *ids, struct stream_id id)
{
	uint64_t hash =
		(id.ms * UINT64_C(0x9e3779b97f4a7c15)) ^ (id.number * UINT64_C(0xc2b2ae3d27d4eb4f));
	return (size_t)(hash ^ (hash >> 32)) & (ids->cap - 1);
}

/* Where it is, or the free slot where it would go. */
static size_t find_slot(const struct stream_ids *ids, struct stream_id id)
{
	size_t at = home(ids, id);
	while (ids->slots[at].mark != STREAM_ID_ABSENT && !id_eq(ids->slots[at].id, id))
		at = (at + 1) & (ids->cap - 1);
	return at;
}

static void grow(struct stream_ids *ids)
{
	struct stream_ids bigger = {.cap = ids->cap > 0 ? 2 * ids->cap : MIN_CAP, .n = ids->n};
	bigger.slots = mem_array(bigger.cap, sizeof(*bigger.slots));
	for (size_t i = 0; i < ids->cap; i++) {
		if (ids->slots[i].mark != STREAM_ID_ABSENT)
			bigger.slots[find_slot(&bigger, ids->slots[i].id)] = ids->slots[i];
	}
	mem_free(ids->slots);
	*ids = bigger;
}

static void remove_slot(struct stream_ids *ids, size_t hole)
{
	size_t mask = ids->cap - 1;
	for (size_t at = (hole + 1) & mask; ids->slots[at].mark != STREAM_ID_ABSENT;
		at = (at + 1) & mask) {
		/* It may move into the hole unless its home lies behind the hole. */
		size_t from_home = (at - home(ids, ids->slots[at].id)) & mask;
		if (from_home >= ((at - hole) & mask)) {
			ids->slots[hole] = ids->slots[at];
			hole = at;
		}
	}
	ids->slots[hole].mark = STREAM_ID_ABSENT;
	ids->n--;
}

void stream_ids_deinit(struct stream_ids *ids)
{
	mem_free(ids->slots);
	memset(ids, 0, sizeof(*ids));
}

enum stream_id_mark stream_ids_get(const struct stream_ids *ids, struct stream_id id)
{
	return ids->cap > 0 ? ids->slots[find_slot(ids, id)].mark : STREAM_ID_ABSENT;
}

enum stream_id_mark stream_ids_set(
	struct stream_ids *ids, struct stream_id id, enum stream_id_mark mark)
{
	if (4 * (ids->n + 1) > 3 * ids->cap)
		grow(ids);
	size_t at = find_slot(ids, id);
	enum stream_id_mark before = ids->slots[at].mark;
	if (mark == STREAM_ID_ABSENT) {
		if (before != STREAM_ID_ABSENT)
			remove_slot(ids, at);
		return before;
	}
	ids->n += before == STREAM_ID_ABSENT;
	ids->slots[at].id = id;
	ids->slots[at].mark = mark;
	return before;
}

void stream_ids_remove_marked(struct stream_ids *ids, enum stream_id_mark mark)
{
	struct stream_ids rest = {.slots = NULL};
	for (size_t i = 0; i < ids->cap; i++) {
		if (ids->slots[i].mark != STREAM_ID_ABSENT && ids->slots[i].mark != mark)
			(void)stream_ids_set(&rest, ids->slots[i].id, ids->slots[i].mark);
	}
	stream_ids_deinit(ids);
	*ids = rest;
}

void stream_id_list_push(struct stream_id_list *list, struct stream_id id)
{
	if (list->n == list->cap) {
		list->cap = list->cap > 0 ? 2 * list->cap : 16;
		list->ids = mem_realloc(list->ids, (size_t)list->cap * sizeof(*list->ids));
	}
	list->ids[list->n++] = id;
}

void stream_id_list_move(struct stream_id_list *to, struct stream_id_list *from)
{
	if (to->n == 0) { /* the usual case: change places */
		struct stream_id_list empty = *to;
		*to = *from;
		*from = empty;
		return;
	}
	for (int i = 0; i < from->n; i++)
		stream_id_list_push(to, from->ids[i]);
	from->n = 0;
}

void stream_id_list_deinit(struct stream_id_list *list)
{
	mem_free(list->ids);
	memset(list, 0, sizeof(*list));
}
