/* Which leases are held until when, and what changed between two ticks. Pure: time is given. */
#ifndef WA_IO_LEASE_STATE_H
#define WA_IO_LEASE_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/io/lease.h"

struct lease_row { /* what lease_tick() says */
	int id;
	int64_t epoch;
	bool is_surplus;
};

struct lease_change {
	int id;
	bool is_gain;
	int64_t epoch;       /* of a gain */
	enum lease_loss why; /* of a loss */
};

struct lease_changes { /* all zero is an empty list */
	struct lease_change *items;
	int n, cap;
};
void lease_changes_deinit(struct lease_changes *changes);

struct lease_held {
	int id;
	int64_t epoch;
	int64_t until_ms;
	bool was_told_surplus;
};

struct lease_state {             /* all zero holds nothing */
	struct lease_held *held; /* sorted by id */
	int n_held, cap_held;
	int *releasing; /* given back, which Postgres has not confirmed yet */
	int n_releasing, cap_releasing;
};
void lease_state_deinit(struct lease_state *state);

/* A tick succeeded: rows (sorted by id) are all that is held, until until_ms. Appends the changes,
   losses first. Rows that are being given back are not taken again. An answer that came after
   until_ms renews nothing. */
void lease_state_apply(struct lease_state *state, const struct lease_row *rows, int n,
	int64_t until_ms, int64_t now_ms, struct lease_changes *changes);
/* Drop what has run out. */
void lease_state_expire(struct lease_state *state, int64_t now_ms, struct lease_changes *changes);
/* INT64_MAX when nothing is held. */
int64_t lease_state_next_expiry_ms(const struct lease_state *state);
/* NULL when it is not held at now_ms. */
const struct lease_held *lease_state_find(const struct lease_state *state, int id, int64_t now_ms);
/* Give one back: it is not held from now on. False when it was not. */
bool lease_state_release(struct lease_state *state, int id);
/* Postgres has confirmed that these are given back. */
void lease_state_released(struct lease_state *state, const int *ids, int n);
/* Hold nothing, without changes to be told. */
void lease_state_clear(struct lease_state *state);

#endif
