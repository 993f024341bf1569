/* signature: the contract's golden vector, the guide's scheme, rotation. */
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

#include "common/base/digest.h"
#include "services/webhooker/signature.h"

#define GOLDEN_SECRET "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

static struct signature_secret secret_of(const char *text)
{
	struct signature_secret secret;
	struct err err;
	assert_int_equal(signature_secret_init(&secret, sv_from(text), &err), 0);
	return secret;
}

static void TEST(standard_golden_vector)
{
	struct signature_secret secret = secret_of(GOLDEN_SECRET);
	struct signatures signatures;
	signatures_init(&signatures);
	signatures_make(&signatures, &secret, 1, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330,
		SV_LIT("{\"test\": 2432232314}"));
	assert_sv(strbuf_view(&signatures.standard),
		"v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
	signatures_deinit(&signatures);
	signature_secret_deinit(&secret);
}

/* Computed with openssl dgst -sha256 -hmac "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" over
 * 1614265330.{"test": 2432232314} */
static void TEST(guide_signs_time_and_body_with_the_whole_text)
{
	struct signature_secret secret = secret_of(GOLDEN_SECRET);
	struct signatures signatures;
	signatures_init(&signatures);
	signatures_make(
		&signatures, &secret, 1, "msg_x", 1614265330, SV_LIT("{\"test\": 2432232314}"));
	assert_sv(strbuf_view(&signatures.guide),
		"t=1614265330,v1=2e37df5d4a028c51a7f3133d64ae1e300d2c2c900f1b1d49d4369ad2530f8964");
	signatures_deinit(&signatures);
	signature_secret_deinit(&secret);
}

static void TEST(every_live_secret_signs_newest_first)
{
	struct signature_secret secrets[] = {secret_of("whsec_bmV3"), secret_of("whsec_b2xk")};
	struct signatures both, first, second;
	signatures_init(&both);
	signatures_init(&first);
	signatures_init(&second);
	signatures_make(&both, secrets, 2, "evt_1", 7, SV_LIT("{}"));
	signatures_make(&first, &secrets[0], 1, "evt_1", 7, SV_LIT("{}"));
	signatures_make(&second, &secrets[1], 1, "evt_1", 7, SV_LIT("{}"));

	char text[512];
	snprintf(text, sizeof(text), "%s %s", strbuf_cstr(&first.standard),
		strbuf_cstr(&second.standard));
	assert_sv(strbuf_view(&both.standard), text);
	snprintf(text, sizeof(text), "%s%s", strbuf_cstr(&first.guide),
		strchr(strbuf_cstr(&second.guide), ','));
	assert_sv(strbuf_view(&both.guide), text);
	assert_string_not_equal(strbuf_cstr(&first.standard), strbuf_cstr(&second.standard));

	/* The buffers are filled anew. */
	signatures_make(&both, secrets, 1, "evt_1", 7, SV_LIT("{}"));
	assert_string_equal(strbuf_cstr(&both.standard), strbuf_cstr(&first.standard));
	signatures_deinit(&both);
	signatures_deinit(&first);
	signatures_deinit(&second);
	signature_secret_deinit(&secrets[0]);
	signature_secret_deinit(&secrets[1]);
}

static void TEST(bad_secrets_are_refused)
{
	static const char *const bad[] = {
		"", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_!!!!", "whsk_YWJj"};
	for (size_t i = 0; i < array_len(bad); i++) {
		struct signature_secret secret;
		struct err err = {.text = ""};
		assert_int_equal(signature_secret_init(&secret, sv_from(bad[i]), &err), -1);
		assert_true(err.text[0] != '\0');
		if (strlen(bad[i]) > 8)
			assert_null(
				strstr(err.text, bad[i] + 6)); /* no part of a secret in an error */
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(standard_golden_vector),
		cmocka_unit_test(guide_signs_time_and_body_with_the_whole_text),
		cmocka_unit_test(every_live_secret_signs_newest_first),
		cmocka_unit_test(bad_secrets_are_refused),
	};
	return cmocka_run_group_tests_name("signature", tests, NULL, NULL);
}
