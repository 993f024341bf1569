/* local_caller: who needs no token in development, and who does all the same. */
#include "tests/support/test.h"

#include "services/api/local_caller.h"

static const struct local_caller good = {
	.development = true,
	.peer_is_loopback = true,
	.host = {"127.0.0.1:8000", 14},
	.content_type = {"application/json", 16},
};

static void TEST(curl_on_this_machine_is_trusted)
{
	assert_true(local_caller_is_trusted(&good));
}

static void TEST(hosts)
{
	static const struct {
		const char *host;
		bool is_loopback;
	} cases[] = {
		{"localhost", true},
		{"LocalHost:8000", true},
		{"127.0.0.1", true},
		{"127.8.9.10:1", true},
		{"[::1]", true},
		{"[::1]:8000", true},
		{"bank.example", false},
		{"127.0.0.1.evil.example", false},
		{"localhost.evil", false},
		{"localhost:", false},
		{"localhost:x", false},
		{"localhost:99999", false},
		{"", false},
		{"[::1", false},
		{"[::2]", false},
		{"[::1]x", false},
		{"[::1]:", false},
		{"10.0.0.1", false},
		{"0x7f.1", false},
		{"localhost:80:80", false},
		{"localhost:-1", false},
	};
	for (size_t i = 0; i < array_len(cases); i++) {
		struct local_caller caller = good;
		caller.host = sv_from(cases[i].host);
		if (local_caller_is_trusted(&caller) != cases[i].is_loopback)
			fail_msg("Host: %s", cases[i].host);
	}
	struct local_caller without = good;
	without.host = SV_NULL;
	assert_false(local_caller_is_trusted(&without));
}

static void TEST(each_condition_counts)
{
	struct local_caller caller = good;
	caller.development = false;
	assert_false(local_caller_is_trusted(&caller));
	caller = good;
	caller.peer_is_loopback = false;
	assert_false(local_caller_is_trusted(&caller));
	caller = good;
	caller.has_foreign_header = true;
	assert_false(local_caller_is_trusted(&caller));
	caller = good;
	caller.is_http10 = true;
	assert_false(local_caller_is_trusted(&caller));
	caller = good;
	caller.content_type = SV_LIT("text/plain");
	assert_false(local_caller_is_trusted(&caller));
	caller.content_type = SV_NULL;
	assert_false(local_caller_is_trusted(&caller));
}

static void TEST(json_content_types)
{
	assert_true(content_type_is_json(SV_LIT("application/json")));
	assert_true(content_type_is_json(SV_LIT("Application/JSON; charset=utf-8")));
	assert_true(content_type_is_json(SV_LIT(" application/json ;x")));
	assert_false(content_type_is_json(SV_LIT("application/jsonp")));
	assert_false(content_type_is_json(SV_LIT("text/plain; application/json")));
	assert_false(content_type_is_json(SV_LIT("")));
	assert_false(content_type_is_json(SV_NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(curl_on_this_machine_is_trusted),
		cmocka_unit_test(hosts),
		cmocka_unit_test(each_condition_counts),
		cmocka_unit_test(json_content_types),
	};
	return cmocka_run_group_tests_name("local_caller", tests, NULL, NULL);
}
