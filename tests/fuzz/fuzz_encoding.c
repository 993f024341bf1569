/* Decoding any text is safe, and decoding what was encoded gives it back. */
#include "common/base/check.h"
#include "common/base/digest.h"
#include "common/base/mem.h"
#include "tests/fuzz/fuzz.h"

static void check_hex(struct strview input)
{
	struct strbuf text = STRBUF_INIT;
	uint8_t *bytes = mem_alloc(input.len);
	hex_encode(input.ptr, input.len, &text);
	ASSERT(text.len == 2 * input.len);
	ASSERT(hex_decode(strbuf_view(&text), bytes, input.len) == 0);
	ASSERT(sv_eq(sv_make(bytes, input.len), input));
	if (hex_decode(input, bytes, input.len / 2) == 0) {
		strbuf_reset(&text);
		hex_encode(bytes, input.len / 2, &text);
		for (size_t i = 0; i < input.len; i++)
			ASSERT((text.data[i] | 0x20) == (input.ptr[i] | 0x20));
	}
	mem_free(bytes);
	strbuf_deinit(&text);
}

static void check_base64(struct strview input)
{
	struct strbuf text = STRBUF_INIT;
	struct strbuf bytes = STRBUF_INIT;
	base64_encode(input, &text);
	ASSERT(base64_decode(strbuf_view(&text), &bytes) == 0);
	ASSERT(sv_eq(strbuf_view(&bytes), input));

	strbuf_reset(&text);
	strbuf_reset(&bytes);
	if (base64_decode(input, &bytes) == 0) {
		/* One value has one text, but for padding and the alphabet's two letters. */
		base64_encode(strbuf_view(&bytes), &text);
		ASSERT(text.len >= input.len);
		for (size_t i = 0; i < input.len; i++) {
			char c = input.ptr[i] == '-' ? '+' : input.ptr[i];
			ASSERT(text.data[i] == (c == '_' ? '/' : c));
		}
	} else {
		ASSERT(bytes.len == 0);
	}
	strbuf_deinit(&text);
	strbuf_deinit(&bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
	struct strview input = size_bytes > 0 ? sv_make(data, size_bytes) : SV_LIT("");
	check_hex(input);
	check_base64(input);
	return 0;
}
