#include "common/io/lease_state.h"

#include <string.h>

#include "common/base/check.h"
#include "common/base/mem.h"

void lease_changes_deinit(struct lease_changes *changes)
{
	mem_free(changes->items);
	memset(changes, 0, sizeof(*changes));
}

void lease_state_deinit(struct lease_state *state)
{
	mem_free(state->held);
	mem_free(state->releasing);
	memset(state, 0, sizeof(*state));
}

/* Room for one more element in an array of cap. */
static void *grow(void *array, int n, int *cap, size_t element_bytes)
{
	if (n < *cap)
		return array;
	*cap = *cap > 0 ? 2 * *cap : 16;
	return mem_realloc(array, (size_t)*cap * element_bytes);
}

static void push_change(struct lease_changes *changes, struct lease_change change)
{
	changes->items = grow(changes->items, changes->n, &changes->cap, sizeof(*changes->items));
	changes->items[changes->n++] = change;
}

static void push_loss(struct lease_changes *changes, int id, enum lease_loss why)
{
	push_change(changes, (struct lease_change){.id = id, .why = why});
}

/* Index of id in held, or of the first with a higher one. */
static int held_index(const struct lease_state *state, int id)
{
	int low = 0;
	int high = state->n_held;
	while (low < high) {
		int middle = low + (high - low) / 2;
		if (state->held[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct lease_held *find_held(const struct lease_state *state, int id)
{
	int at = held_index(state, id);
	return at < state->n_held && state->held[at].id == id ? &state->held[at] : NULL;
}

static void insert_held(struct lease_state *state, struct lease_held held)
{
	int at = held_index(state, held.id);
	state->held = grow(state->held, state->n_held, &state->cap_held, sizeof(*state->held));
	memmove(&state->held[at + 1], &state->held[at],
		(size_t)(state->n_held - at) * sizeof(*state->held));
	state->held[at] = held;
	state->n_held++;
}

static void remove_held(struct lease_state *state, int at)
{
	state->n_held--;
	memmove(&state->held[at], &state->held[at + 1],
		(size_t)(state->n_held - at) * sizeof(*state->held));
}

static bool is_releasing(const struct lease_state *state, int id)
{
	for (int i = 0; i < state->n_releasing; i++) {
		if (state->releasing[i] == id)
			return true;
	}
	return false;
}

/* Renew what is among the rows, drop the rest. */
static void apply_to_held(struct lease_state *state, const struct lease_row *rows, int n,
	int64_t until_ms, int64_t now_ms, struct lease_changes *changes)
{
	int i_row = 0;
	for (int at = 0; at < state->n_held;) {
		struct lease_held *held = &state->held[at];
		while (i_row < n && rows[i_row].id < held->id)
			i_row++;
		bool is_there = i_row < n && rows[i_row].id == held->id;
		if (is_there && rows[i_row].epoch == held->epoch) {
			/* Also when our own clock had just run out and nobody was told: nobody else
			 * had it meanwhile. */
			held->until_ms = until_ms;
			at++;
			continue;
		}
		bool ran_out = is_there || held->until_ms <= now_ms;
		push_loss(changes, held->id, ran_out ? LEASE_EXPIRED : LEASE_DELETED);
		remove_held(state, at);
	}
}

void lease_state_apply(struct lease_state *state, const struct lease_row *rows, int n,
	int64_t until_ms, int64_t now_ms, struct lease_changes *changes)
{
	if (until_ms <= now_ms) {
		lease_state_expire(state, now_ms, changes);
		return;
	}
	for (int i = 1; i < n; i++)
		ASSERT(rows[i - 1].id < rows[i].id);
	apply_to_held(state, rows, n, until_ms, now_ms, changes);
	for (int i = 0; i < n; i++) {
		if (is_releasing(state, rows[i].id) || find_held(state, rows[i].id) != NULL)
			continue;
		insert_held(state,
			(struct lease_held){
				.id = rows[i].id, .epoch = rows[i].epoch, .until_ms = until_ms});
		push_change(changes,
			(struct lease_change){
				.id = rows[i].id, .is_gain = true, .epoch = rows[i].epoch});
	}
	for (int i = 0; i < n; i++) {
		struct lease_held *held = find_held(state, rows[i].id);
		if (held == NULL || !rows[i].is_surplus || held->was_told_surplus)
			continue;
		held->was_told_surplus = true;
		push_loss(changes, held->id, LEASE_SURPLUS);
	}
}

void lease_state_expire(struct lease_state *state, int64_t now_ms, struct lease_changes *changes)
{
	for (int at = 0; at < state->n_held;) {
		if (state->held[at].until_ms > now_ms) {
			at++;
			continue;
		}
		push_loss(changes, state->held[at].id, LEASE_EXPIRED);
		remove_held(state, at);
	}
}

int64_t lease_state_next_expiry_ms(const struct lease_state *state)
{
	int64_t next_ms = INT64_MAX;
	for (int i = 0; i < state->n_held; i++) {
		if (state->held[i].until_ms < next_ms)
			next_ms = state->held[i].until_ms;
	}
	return next_ms;
}

const struct lease_held *lease_state_find(const struct lease_state *state, int id, int64_t now_ms)
{
	const struct lease_held *held = find_held(state, id);
	return held != NULL && held->until_ms > now_ms ? held : NULL;
}

bool lease_state_release(struct lease_state *state, int id)
{
	int at = held_index(state, id);
	if (at == state->n_held || state->held[at].id != id)
		return false;
	remove_held(state, at);
	state->releasing = grow(state->releasing, state->n_releasing, &state->cap_releasing,
		sizeof(*state->releasing));
	state->releasing[state->n_releasing++] = id;
	return true;
}

void lease_state_released(struct lease_state *state, const int *ids, int n)
{
	int n_left = 0;
	for (int i = 0; i < state->n_releasing; i++) {
		bool is_done = false;
		for (int k = 0; k < n; k++)
			is_done = is_done || ids[k] == state->releasing[i];
		if (!is_done)
			state->releasing[n_left++] = state->releasing[i];
	}
	state->n_releasing = n_left;
}

void lease_state_clear(struct lease_state *state)
{
	state->n_held = 0;
	state->n_releasing = 0;
}
