/* openapi.json tells of every route and of nothing else; every kind of problem is explained on its
 * page. */
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

#include "common/base/json.h"
#include "common/base/mem.h"
#include "common/model/permission.h"
#include "services/api/embedded.h"
#include "services/api/handlers.h"
#include "services/api/problem.h"
#include "services/api/routes.h"

#define HANDLER(name)                                                                              \
	void name(struct api_call *call)                                                           \
	{                                                                                          \
		(void)call;                                                                        \
	}
HANDLER(handle_tenant_create)
HANDLER(handle_tenant_list)
HANDLER(handle_tenant_get)
HANDLER(handle_tenant_change)
HANDLER(handle_key_create)
HANDLER(handle_key_list)
HANDLER(handle_key_rotate)
HANDLER(handle_key_revoke)
HANDLER(handle_contact_list)
HANDLER(handle_contact_get)
HANDLER(handle_contact_create)
HANDLER(handle_contact_change)
HANDLER(handle_contact_erase)
HANDLER(handle_message_send)
HANDLER(handle_message_get)
HANDLER(handle_message_list)
HANDLER(handle_message_cancel)
HANDLER(handle_conversation)
HANDLER(handle_webhook_register)
HANDLER(handle_webhook_list)
HANDLER(handle_webhook_get)
HANDLER(handle_webhook_change)
HANDLER(handle_webhook_delete)
HANDLER(handle_webhook_test)
HANDLER(handle_webhook_rotate_secret)
HANDLER(handle_webhook_replay)
HANDLER(handle_delivery_list)
HANDLER(handle_event_list)
HANDLER(handle_session_create)
HANDLER(handle_session_list)
HANDLER(handle_session_get)
HANDLER(handle_session_qr)
HANDLER(handle_session_pairing_code)
HANDLER(handle_session_delete)
HANDLER(handle_set_aside_list)
HANDLER(handle_set_aside_retry)
HANDLER(handle_sandbox_inbound)
HANDLER(handle_sandbox_outbox)
HANDLER(handle_media_get)
HANDLER(handle_health)
HANDLER(handle_openapi)
HANDLER(handle_docs)
HANDLER(handle_docs_errors)

static struct json *document;

static int setup(UNUSED void **state)
{
	struct err err;
	document = json_parse(sv_make(openapi_json_data, openapi_json_size), &err);
	if (document == NULL)
		fail_msg("openapi.json: %s", err.text);
	return 0;
}

static int teardown(UNUSED void **state)
{
	json_free(&document);
	return 0;
}

static const char *method_key(enum http_method method)
{
	static const char *const keys[] = {"get", "post", "put", "patch", "delete"};
	return keys[method];
}

static const struct json *operation_of(const struct route *route)
{
	const struct json *path =
		json_object_get(json_object_get(document, "paths"), route->pattern);
	if (path == NULL)
		fail_msg("%s is not in openapi.json", route->pattern);
	const struct json *operation = json_object_get(path, method_key(route->method));
	if (operation == NULL)
		fail_msg("%s %s is not in openapi.json", method_key(route->method), route->pattern);
	return operation;
}

static bool takes_key(const struct json *operation)
{
	const struct json *list = json_object_get(operation, "parameters");
	if (list == NULL)
		return false;
	for (size_t i = 0; i < json_array_len(list); i++) {
		const struct json *ref = json_object_get(json_array_get(list, i), "$ref");
		if (ref != NULL &&
			sv_eq_cstr(json_string(ref), "#/components/parameters/IdempotencyKey"))
			return true;
	}
	return false;
}

static void TEST(every_route_is_described)
{
	int n;
	const struct route *routes = routes_get(&n);
	for (int i = 0; i < n; i++) {
		const struct json *operation = operation_of(&routes[i]);
		assert_sv(json_string(json_object_get(operation, "operationId")),
			routes[i].operation);
		bool has_body = json_object_get(operation, "requestBody") != NULL;
		if (has_body != (routes[i].body != ROUTE_NO_BODY))
			fail_msg("%s: the body", routes[i].operation);
		if (takes_key(operation) != routes[i].makes)
			fail_msg("%s: the Idempotency-Key", routes[i].operation);
		const struct json *answers = json_object_get(operation, "responses");
		if (routes[i].auth != ROUTE_OPEN && json_object_get(answers, "401") == NULL)
			fail_msg("%s: 401", routes[i].operation);
		if (routes[i].permission != 0 && json_object_get(answers, "403") == NULL)
			fail_msg("%s: 403", routes[i].operation);
		if (routes[i].auth == ROUTE_LINK && json_object_get(answers, "410") == NULL)
			fail_msg("%s: 410", routes[i].operation);
		if (strchr(routes[i].pattern, '{') != NULL &&
			json_object_get(answers, "404") == NULL)
			fail_msg("%s: 404", routes[i].operation);
	}
}

static bool has_route(const char *pattern, const char *method)
{
	int n;
	const struct route *routes = routes_get(&n);
	for (int i = 0; i < n; i++) {
		if (strcmp(routes[i].pattern, pattern) == 0 &&
			strcmp(method_key(routes[i].method), method) == 0)
			return true;
	}
	return false;
}

static int check_method(void *ctx, const char *method, UNUSED struct json *operation)
{
	const char *pattern = ctx;
	if (strcmp(method, "parameters") != 0 && !has_route(pattern, method))
		fail_msg("%s %s is described, but there is no such route", method, pattern);
	return 0;
}

static int check_path(UNUSED void *ctx, const char *pattern, struct json *path)
{
	char *copy = mem_strdup(pattern);
	(void)json_object_each(path, check_method, copy);
	mem_free(copy);
	return 0;
}

static void TEST(nothing_else_is_described)
{
	(void)json_object_each(json_object_get(document, "paths"), check_path, NULL);
}

static void TEST(routes_make_sense)
{
	int n;
	const struct route *routes = routes_get(&n);
	for (int i = 0; i < n; i++) {
		assert_int_equal(routes[i].permission != 0,
			routes[i].auth == ROUTE_TENANT || routes[i].auth == ROUTE_LINK);
		assert_false(routes[i].makes && routes[i].method != HTTP_POST);
		assert_int_equal(routes_index(&routes[i]), i);
		for (int j = 0; j < i; j++)
			assert_string_not_equal(routes[i].operation, routes[j].operation);
	}
}

static void TEST(every_problem_is_explained)
{
	char *page = mem_strndup((const char *)errors_html_data, errors_html_size);
	char anchor[64];
	for (int i = 0; i < PROBLEM_COUNT; i++) {
		(void)snprintf(anchor, sizeof(anchor), "id=\"%s\"", problem_code((enum problem)i));
		if (strstr(page, anchor) == NULL)
			fail_msg("errors.html has no %s", anchor);
	}
	mem_free(page);
}

static void TEST(pages_ask_no_outside_host)
{
	char *page = mem_strndup((const char *)docs_html_data, docs_html_size);
	assert_null(strstr(page, "http://"));
	assert_null(strstr(page, "https://"));
	mem_free(page);
	page = mem_strndup((const char *)errors_html_data, errors_html_size);
	assert_null(strstr(page, "http://"));
	assert_null(strstr(page, "src="));
	mem_free(page);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		CASE(every_route_is_described),
		CASE(nothing_else_is_described),
		CASE(routes_make_sense),
		CASE(every_problem_is_explained),
		CASE(pages_ask_no_outside_host),
	};
	return cmocka_run_group_tests_name("openapi", tests, NULL, NULL);
}
