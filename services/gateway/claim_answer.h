/* What to do about a dispatch that the claim did not let through, from what Postgres says about its
 * message. Pure. */
#ifndef WA_GATEWAY_CLAIM_ANSWER_H
#define WA_GATEWAY_CLAIM_ANSWER_H

#include <stdbool.h>

#include "common/model/message.h"

struct claim_finding {
	bool is_found; /* there is such a message, of this session */
	bool is_fresh; /* the entry's partition epoch is the present one */
	bool is_open;
	enum message_status status;
	bool outcome_unknown;
	bool attempt_fits;  /* the entry's attempt number is the row's */
	bool is_due;        /* next_attempt_at has come */
	bool is_head;       /* nothing earlier of its conversation is open */
	bool is_past_valid; /* valid_until has passed */
	bool media_wanted;  /* its media is not here yet */
	int attempts;
	int deaths;
	int deaths_alone;
};

enum claim_answer {
	CLAIM_ANSWER_NOTHING, /* a stale sender asked: who owns the partition now acts by itself */
	CLAIM_ANSWER_SENT,    /* it has left already */
	CLAIM_ANSWER_FINAL,
	CLAIM_ANSWER_REFUSED,       /* the sender should read the conversation again */
	CLAIM_ANSWER_NO_MEDIA,      /* fetch it now, and have it asked again soon */
	CLAIM_ANSWER_ALONE,         /* two gateways died with it in flight: claim it alone */
	CLAIM_ANSWER_CLOSE_EXPIRED, /* its outcome is unknown, and valid_until has passed */
	CLAIM_ANSWER_CLOSE_SPENT,   /* the same: its attempts are spent */
	CLAIM_ANSWER_SET_ASIDE,     /* two more died with nothing else in flight */
};

#define CLAIM_DEATHS_TILL_ALONE     2
#define CLAIM_DEATHS_TILL_SET_ASIDE 2

/* was_alone: this was the claim of one alone already. */
enum claim_answer claim_answer_of(
	const struct claim_finding *finding, int attempt_budget, bool was_alone);

#endif
