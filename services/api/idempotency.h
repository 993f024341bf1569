/*
 * Idempotency-Key on calls that make something (all but POST /messages/send, whose key is part of
 * its batch's statement): the answer is stored in the transaction that does what it tells of. The
 * same key and body get it again, another body is 422.
 */
#ifndef WA_API_IDEMPOTENCY_H
#define WA_API_IDEMPOTENCY_H

#include "services/api/api_call.h"
#include "services/api/api_store.h"

/* Take the header into call->idempotency, when the route makes something. False: it is no key, the
 * call was answered. */
bool idempotency_read(struct api_call *call) MUST_CHECK;
/* Go on with `fn` if the key is new or absent, else give the stored answer. */
void idempotency_look_up(struct api_call *call, void (*fn)(struct api_call *call));

/* What a call did and will answer. */
struct idempotent_answer {
	int status;
	struct strview body; /* without a secret that is shown once */
	int32_t contact_id;  /* whose person's data the body holds, so that erasure finds it; 0:
				nobody's */
};

/*
 * Run the effects in one transaction, with the answer under the call's key if it has one. fn gets
 * the last statement's result, or the failure; it is not called when another call with the same key
 * came first: then that one's answer is given.
 */
void idempotency_commit(struct api_call *call, struct store_tx *effects,
	const struct idempotent_answer *answer,
	void (*fn)(struct api_call *call, const struct pg_result *result));
/* 422: the key was used with another request. */
void idempotency_reply_mismatch(struct api_call *call);

#endif
