/* Nothing opens but what was sealed; any key text is safe. */
#include "common/base/check.h"
#include "common/base/secret_box.h"
#include "tests/fuzz/fuzz.h"

#define HEX "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

static struct secret_box *box;

static void check_keys(struct strview text)
{
	struct err err = {""};
	struct secret_box *other = secret_box_new(text, &err);
	ASSERT(other != NULL || sv_starts_with(sv_from(err.text), "master key") ||
		sv_starts_with(sv_from(err.text), "more than"));
	secret_box_free(&other);
}

static void check_open(struct strview text)
{
	struct strbuf out = STRBUF_INIT;
	struct err err;
	ASSERT(secret_box_open(box, SV_LIT("fuzz"), text, &out, &err) == -1);
	ASSERT(out.len == 0);
	strbuf_deinit(&out);
}

static void check_round_trip(struct strview text)
{
	struct strbuf sealed = STRBUF_INIT;
	struct strbuf out = STRBUF_INIT;
	struct err err;
	size_t half = text.len / 2;
	struct strview context = sv_make(text.ptr, half);
	secret_box_seal(box, context, text, &sealed);
	ASSERT(secret_box_open(box, context, strbuf_view(&sealed), &out, &err) == 0);
	ASSERT(sv_eq(strbuf_view(&out), text));
	sealed.data[half] = (char)(sealed.data[half] ^ 1);
	ASSERT(secret_box_open(box, context, strbuf_view(&sealed), &out, &err) == -1);
	strbuf_deinit(&sealed);
	strbuf_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
	struct strview text = sv_make(data, size_bytes);
	if (box == NULL)
		box = secret_box_new(SV_LIT("2:" HEX ",1:" HEX), NULL);
	check_keys(text);
	check_open(text);
	check_round_trip(text);
	return 0;
}
