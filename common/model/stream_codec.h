/* Entries of stream_schema.h as structs and as msgpack, and the names of the streams. */
#ifndef WA_MODEL_STREAM_CODEC_H
#define WA_MODEL_STREAM_CODEC_H

#include <stdint.h>

#include "common/base/err.h"
#include "common/base/pool.h"
#include "common/base/strbuf.h"
#include "common/base/strview.h"

enum outcome_kind {
	/* Or beyond: the next of its conversation may go. */
	OUTCOME_SENT = 1,
	/* Failed, cancelled, expired: the same. */
	OUTCOME_FINAL = 2,
	/* Queued again, due in next_in_ms, `attempts` made so far. */
	OUTCOME_RETRY = 3,
	/* Still sending; resend in next_in_ms unless a receipt settles it first. */
	OUTCOME_UNKNOWN = 4,
	/* The claim did not fit: reread the conversation from Postgres. */
	OUTCOME_REFUSED = 5,
	/* The session cannot send now: keep it, try again in next_in_ms; costs no attempt. */
	OUTCOME_NOT_READY = 6,
	/* Its media is not fetched yet: the same, but it holds up nobody else of its session. */
	OUTCOME_NO_MEDIA = 7,
};

struct stream_ints {
	const int64_t *items;
	int n;
};

#define STREAM_INT(f)  int64_t f;
#define STREAM_TEXT(f) struct strview f;
#define STREAM_INTS(f) struct stream_ints f;
#define INT(f)         STREAM_INT(f)
#define TEXT(f)        STREAM_TEXT(f)
#define INTS(f)        STREAM_INTS(f)
#define ENTRY(name, version, fields)                                                               \
	struct name##_entry {                                                                      \
		fields                                                                             \
	};                                                                                         \
	/* Append the msgpack form to out. */                                                      \
	void name##_entry_encode(const struct name##_entry *entry, struct strbuf *out);            \
	/* 0, or -1 with err for anything that is not such an entry of a known version. Texts are  \
	   views into payload, lists lie in pool. */                                               \
	int name##_entry_decode(struct strview payload, struct pool *pool,                         \
		struct name##_entry *ret_entry, struct err *err);
#include "common/model/stream_schema.h"
#undef ENTRY
#undef INT
#undef TEXT
#undef INTS

#define STREAM_NAME_SIZE 32
void stream_name_outbound(int partition, char ret_name[STREAM_NAME_SIZE]); /* "outbound.7" */
void stream_name_outcome(int partition, char ret_name[STREAM_NAME_SIZE]);
void stream_name_dispatch(int session_id, char ret_name[STREAM_NAME_SIZE]);
void stream_name_events(int partition, char ret_name[STREAM_NAME_SIZE]);

/* The key whose absence means that Redis lost what it held, or that a writer could not add something
   (it deletes it); any owner writes it (SET NX, a random value). */
#define STREAM_GENERATION_KEY "wa.generation"
/* What is kept of an entry that is set aside because it cannot be decoded: no good one is as long. */
#define STREAM_SET_ASIDE_MAX_BYTES 16384
/* "held.<message id>": why a head waits, "<reason> <until, Unix ms>", with an expiry; written by
   the sender, shown by the api. */
#define STREAM_HELD_PREFIX "held."

#endif
