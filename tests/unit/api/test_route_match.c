/* route_match: the first that fits, its parameters, and what a wrong method is told. */
#include "tests/support/test.h"

#include <string.h>

#include "services/api/route_match.h"

static const struct route routes[] = {
	{.method = HTTP_POST, .pattern = "/v1/messages/send", .operation = "send"},
	{.method = HTTP_GET, .pattern = "/v1/messages", .operation = "list"},
	{.method = HTTP_GET, .pattern = "/v1/messages/{message_id}", .operation = "get"},
	{.method = HTTP_POST, .pattern = "/v1/messages/{message_id}/cancel", .operation = "cancel"},
	{.method = HTTP_DELETE, .pattern = "/v1/t/{a}/k/{b}", .operation = "two"},
};

static enum route_found match(enum http_method method, const char *path, struct route_hit *ret_hit)
{
	return route_match(routes, (int)array_len(routes), method, sv_from(path), ret_hit);
}

static void TEST(fixed_and_braced_segments)
{
	struct route_hit hit;
	assert_int_equal(match(HTTP_POST, "/v1/messages/send", &hit), ROUTE_FOUND);
	assert_string_equal(hit.route->operation, "send");
	assert_int_equal(match(HTTP_GET, "/v1/messages/msg_1", &hit), ROUTE_FOUND);
	assert_string_equal(hit.route->operation, "get");
	assert_sv(hit.params[0], "msg_1");
	assert_int_equal(match(HTTP_POST, "/v1/messages/msg_1/cancel", &hit), ROUTE_FOUND);
	assert_string_equal(hit.route->operation, "cancel");
	assert_sv(hit.params[0], "msg_1");
	assert_int_equal(match(HTTP_DELETE, "/v1/t/7/k/key_9", &hit), ROUTE_FOUND);
	assert_sv(hit.params[0], "7");
	assert_sv(hit.params[1], "key_9");
}

static void TEST(head_takes_gets_route)
{
	struct route_hit hit;
	assert_int_equal(match(HTTP_HEAD, "/v1/messages", &hit), ROUTE_FOUND);
	assert_string_equal(hit.route->operation, "list");
}

static void TEST(unknown_paths)
{
	struct route_hit hit;
	static const char *const paths[] = {"", "/", "/v1", "/v1/messages/", "/v1/messagesx",
		"/v1/messages//cancel", "/v1/messages/a/b", "/v1/t/7/k/", "/v1/t//k/9",
		"/V1/messages", "/v1/messages/a/cancel/"};
	for (size_t i = 0; i < array_len(paths); i++)
		assert_int_equal(match(HTTP_GET, paths[i], &hit), ROUTE_UNKNOWN_PATH);
}

static void TEST(a_wrong_method_is_told_the_right_ones)
{
	struct route_hit hit;
	assert_int_equal(match(HTTP_DELETE, "/v1/messages/send", &hit), ROUTE_WRONG_METHOD);
	assert_int_equal(hit.allowed, 1u << HTTP_POST | 1u << HTTP_GET | 1u << HTTP_HEAD);
	assert_int_equal(match(HTTP_OTHER, "/v1/messages/a/cancel", &hit), ROUTE_WRONG_METHOD);
	assert_int_equal(hit.allowed, 1u << HTTP_POST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fixed_and_braced_segments),
		cmocka_unit_test(head_takes_gets_route),
		cmocka_unit_test(unknown_paths),
		cmocka_unit_test(a_wrong_method_is_told_the_right_ones),
	};
	return cmocka_run_group_tests_name("route_match", tests, NULL, NULL);
}
