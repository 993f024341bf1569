/* Signing of webhooks. */
#include "services/webhooker/signature.h"

#include <inttypes.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/digest.h"
#include "common/base/mem.h"

static const char prefix[] = "whsec_";

int signature_secret_init(struct signature_secret *secret, struct strview text, struct err *err)
{
	struct signature_secret made = {.text = STRBUF_INIT, .key = STRBUF_INIT};

	if (!sv_starts_with(text, prefix))
		return err_set(err, "a signing secret does not begin with %s", prefix);
	struct strview encoded = sv_make(text.ptr + strlen(prefix), text.len - strlen(prefix));
	strbuf_append_sv(&made.text, text);
	if (base64_decode(encoded, &made.key) < 0 || made.key.len == 0) {
		signature_secret_deinit(&made);
		return err_set(err, "a signing secret is not base64");
	}
	*secret = made;
	return 0;
}

static void wipe(struct strbuf *buf)
{
	if (buf->data != NULL)
		mem_wipe(buf->data, buf->cap);
	strbuf_deinit(buf);
}

void signature_secret_deinit(struct signature_secret *secret)
{
	wipe(&secret->text);
	wipe(&secret->key);
}

void signatures_init(struct signatures *signatures)
{
	strbuf_init(&signatures->standard);
	strbuf_init(&signatures->guide);
	strbuf_init(&signatures->content);
}

void signatures_deinit(struct signatures *signatures)
{
	strbuf_deinit(&signatures->standard);
	strbuf_deinit(&signatures->guide);
	strbuf_deinit(&signatures->content);
}

static void sign(struct signatures *signatures, const struct signature_secret *secret,
	struct strview whole, struct strview without_id)
{
	uint8_t mac[SHA256_SIZE];

	hmac_sha256(strbuf_view(&secret->key), whole, mac);
	if (signatures->standard.len > 0)
		strbuf_append_char(&signatures->standard, ' ');
	strbuf_append_cstr(&signatures->standard, "v1,");
	base64_encode(sv_make(mac, sizeof(mac)), &signatures->standard);

	hmac_sha256(strbuf_view(&secret->text), without_id, mac);
	strbuf_append_cstr(&signatures->guide, ",v1=");
	hex_encode(mac, sizeof(mac), &signatures->guide);
}

void signatures_make(struct signatures *signatures, const struct signature_secret *secrets,
	int n_secrets, const char *id, int64_t timestamp_s, struct strview body)
{
	ASSERT(n_secrets >= 1 && strchr(id, '.') == NULL);
	strbuf_reset(&signatures->standard);
	strbuf_reset(&signatures->guide);
	strbuf_reset(&signatures->content);
	strbuf_printf(&signatures->content, "%s.", id);
	size_t id_len = signatures->content.len;
	strbuf_printf(&signatures->content, "%" PRId64 ".", timestamp_s);
	strbuf_append_sv(&signatures->content, body);
	strbuf_printf(&signatures->guide, "t=%" PRId64, timestamp_s);

	struct strview whole = strbuf_view(&signatures->content);
	struct strview without_id = sv_make(whole.ptr + id_len, whole.len - id_len);
	for (int i = 0; i < n_secrets; i++)
		sign(signatures, &secrets[i], whole, without_id);
}
