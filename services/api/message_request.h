/* The body of POST /messages/send as a struct. Pure. */
#ifndef WA_API_MESSAGE_REQUEST_H
#define WA_API_MESSAGE_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/json.h"
#include "common/base/pool.h"
#include "common/base/strview.h"
#include "common/base/url_guard.h"
#include "common/model/message.h"
#include "common/model/phone.h"
#include "services/api/field_errors.h"

#define MESSAGE_MAX_BODY_BYTES     65536
#define MESSAGE_MAX_CAPTION_BYTES  4096
#define MESSAGE_MAX_FILENAME_BYTES 255
#define MESSAGE_MAX_REF_BYTES      255
#define MESSAGE_MAX_METADATA_BYTES 4096
#define MESSAGE_MAX_AHEAD_DAYS     366
#define MESSAGE_NO_TIME            INT64_MIN /* the same as PG_TIME_NULL */

struct message_request {
	int64_t contact_id;     /* 0: phone is given instead. May be beyond 2^31: no such contact */
	char phone[PHONE_SIZE]; /* "" when contact_id is given */
	enum message_type type;
	/* Absent texts are SV_NULL; they live as long as the JSON and the pool. */
	struct strview body;
	struct strview caption;
	struct strview media_url;
	struct strview filename;
	struct strview external_ref;
	struct strview metadata; /* compact JSON */
	bool once;
	int64_t session_id; /* 0: the tenant's usual one */
	int64_t send_at;    /* Unix ms; MESSAGE_NO_TIME */
	int64_t valid_until;
};

/* 0, or -1 with every mistake in errors. now is Unix ms. With a key, or `once`, the call may repeat
 * one that was accepted in time: then a valid_until that has passed is no mistake; whether it is a
 * repetition is for Postgres to tell. */
int message_request_read(const struct json *body, const struct url_guard *guard, int64_t now,
	bool has_key, struct pool *pool, struct field_errors *errors,
	struct message_request *ret_request);

#endif
