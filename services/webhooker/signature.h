/*
 * The two signatures of a webhook. Pure.
 * webhook-signature: Standard Webhooks 1.0.0 (standardwebhooks.com), HMAC-SHA256 over
 * "id.timestamp.body" keyed with the bytes that stand base64-encoded after "whsec_"; "v1,<base64>",
 * one for each live secret, separated by spaces. X-Webhook-Signature: "t=<timestamp>,v1=<hex>",
 * HMAC-SHA256 over "timestamp.body" keyed with the whole "whsec_…" text; one v1= for each live
 * secret.
 */
#ifndef WA_WEBHOOKER_SIGNATURE_H
#define WA_WEBHOOKER_SIGNATURE_H

#include <stdint.h>

#include "common/base/attr.h"
#include "common/base/err.h"
#include "common/base/strbuf.h"
#include "common/base/strview.h"

#define SIGNATURE_SECRETS_MAX 8 /* live ones that sign: the newest */

struct signature_secret {
	struct strbuf text; /* "whsec_…" */
	struct strbuf key;  /* what stands base64-encoded in it */
};

/* 0, or -1 with err when the text is no "whsec_" and base64. Copies. */
int signature_secret_init(
	struct signature_secret *secret, struct strview text, struct err *err) MUST_CHECK;
void signature_secret_deinit(struct signature_secret *secret); /* wipes */

struct signatures {
	struct strbuf standard; /* the value of webhook-signature */
	struct strbuf guide;    /* the value of X-Webhook-Signature */
	struct strbuf content;  /* for internal use */
};
void signatures_init(struct signatures *signatures);
void signatures_deinit(struct signatures *signatures);
/* Fill both values anew. n_secrets is at least 1, newest first. */
void signatures_make(struct signatures *signatures, const struct signature_secret *secrets,
	int n_secrets, const char *id, int64_t timestamp_s, struct strview body);

#endif
