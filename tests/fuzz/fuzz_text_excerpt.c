/* text_excerpt() and signature_secret_init() take any bytes; what they make is fit to be kept. */
#include "tests/fuzz/fuzz.h"

#include "common/base/check.h"
#include "services/webhooker/signature.h"
#include "services/webhooker/text_excerpt.h"

static void check_excerpt(struct strview bytes, size_t max_bytes)
{
	struct strbuf out = STRBUF_INIT;

	text_excerpt(bytes, max_bytes, &out);
	struct strview made = strbuf_view(&out);
	ASSERT(made.len <= max_bytes && sv_is_utf8(made));
	for (size_t i = 0; i < made.len; i++) {
		unsigned char c = (unsigned char)made.ptr[i];
		ASSERT((c >= ' ' && c != 0x7F) || c == '\t' || c == '\n');
	}
	/* Nothing that fits is left out, and nothing is made of nothing. */
	ASSERT(made.len <= bytes.len);
	ASSERT(bytes.len > max_bytes || made.len > 0 || bytes.len == 0);
	strbuf_deinit(&out);
}

static void check_secret(struct strview text)
{
	struct signature_secret secret;
	struct signatures signatures;
	struct err err;

	if (signature_secret_init(&secret, text, &err) < 0) {
		ASSERT(err.text[0] != '\0');
		return;
	}
	signatures_init(&signatures);
	signatures_make(&signatures, &secret, 1, "evt_1", 1, text);
	ASSERT(signatures.standard.len == 47 && signatures.guide.len == 3 + 4 + 64);
	signatures_deinit(&signatures);
	signature_secret_deinit(&secret);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
	struct strview bytes = sv_make(data, size_bytes);

	check_excerpt(bytes, size_bytes);
	check_excerpt(bytes, size_bytes / 2);
	check_excerpt(bytes, 7);
	check_secret(bytes);
	return 0;
}
