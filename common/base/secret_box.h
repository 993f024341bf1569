/*
 * Encryption at rest: AES-256-GCM with a 12-byte random nonce, sealed as
 *   version(1 byte = 1) key_id(1) nonce(12) ciphertext tag(16)
 * The master key comes from WA_MASTER_KEY (64 hex digits, or "id:hex,id:hex": the first seals, all
 * open, so keys rotate).
 */
#ifndef WA_BASE_SECRET_BOX_H
#define WA_BASE_SECRET_BOX_H

#include <stdint.h>

#include "common/base/attr.h"
#include "common/base/digest.h"
#include "common/base/err.h"
#include "common/base/strbuf.h"
#include "common/base/strview.h"

struct secret_box;

struct secret_box *secret_box_new(
	struct strview master_keys, struct err *err); /* NULL with err when the text is no key */
void secret_box_free(struct secret_box **box);        /* wipes */
/* `context` (e.g. "webhook:12") is bound as associated data: a sealed value cannot be moved to
 * another row. */
void secret_box_seal(const struct secret_box *box, struct strview context, struct strview plain,
	struct strbuf *out);
int secret_box_open(const struct secret_box *box, struct strview context, struct strview sealed,
	struct strbuf *out, struct err *err) MUST_CHECK;

/* Keys for other purposes, one of each master key: HMAC-SHA256 of the label under it. index 0 is of
 * the one that seals. */
int secret_box_n_keys(const struct secret_box *box);
void secret_box_derive(const struct secret_box *box, int index, struct strview label,
	uint8_t ret_key[SHA256_SIZE]);

#endif
