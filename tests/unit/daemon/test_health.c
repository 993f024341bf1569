/* health: ready when all parts are up. */
#include "tests/support/test.h"

#include <string.h>

#include "common/daemon/health.h"
#include "tests/support/log_trap.h"

static void TEST(a_process_is_ready_when_all_its_parts_are_up)
{
	struct health *health = health_new();
	struct strbuf text = STRBUF_INIT;
	struct err err = {"connection \"lost\""};
	struct health_part *postgres, *redis;

	log_trap_set();
	assert_true(health_is_ready(health));
	postgres = health_part_new(health, "postgres");
	redis = health_part_new(health, "redis");
	assert_false(health_is_ready(health));
	health_part_set(postgres, true, NULL);
	assert_false(health_is_ready(health));
	health_part_set(redis, true, NULL);
	assert_true(health_is_ready(health));
	assert_true(health_part_is_up(redis));
	health_part_set(redis, false, &err);
	assert_false(health_is_ready(health));
	health_format(health, &text);
	assert_string_equal(strbuf_cstr(&text),
		"{\"ready\":false,\"draining\":false,\"parts\":[\n"
		"{\"name\":\"postgres\",\"up\":true},\n"
		"{\"name\":\"redis\",\"up\":false,\"error\":\"connection \\\"lost\\\"\"}]}\n");
	log_trap_release();
	strbuf_deinit(&text);
	health_free(&health);
	assert_null(health);
}

static void TEST(a_change_is_logged_once)
{
	struct health *health = health_new();
	struct health_part *part = health_part_new(health, "redis");
	struct err err = {"refused"};

	log_trap_set();
	health_part_set(part, false, &err);
	assert_int_equal(log_trap_count(), 1); /* it never was up: that is to be known */
	assert_true(log_trap_has("level=warn"));
	assert_true(log_trap_has("at=health_change part=redis up=false err=refused"));
	health_part_set(part, false, NULL);
	assert_int_equal(log_trap_count(), 1);
	health_part_set(part, true, NULL);
	health_part_set(part, true, NULL);
	assert_int_equal(log_trap_count(), 2);
	assert_true(log_trap_has("at=health_change part=redis up=true"));
	log_trap_release();
	health_free(&health);
}

static void TEST(who_drains_is_never_ready_again)
{
	struct health *health = health_new();
	struct strbuf text = STRBUF_INIT;

	assert_true(health_is_ready(health));
	health_set_draining(health);
	assert_false(health_is_ready(health));
	health_format(health, &text);
	assert_string_equal(
		strbuf_cstr(&text), "{\"ready\":false,\"draining\":true,\"parts\":[]}\n");
	strbuf_deinit(&text);
	health_free(&health);
}

static void TEST(operators_see_each_part_as_a_metric)
{
	struct health *health = health_new();
	struct health_part *part = health_part_new(health, "postgres");
	struct strbuf text = STRBUF_INIT;

	health_format_metrics(health, &text);
	assert_non_null(strstr(strbuf_cstr(&text), "\nwa_ready 0\n"));
	assert_non_null(strstr(strbuf_cstr(&text), "\nwa_part_up{part=\"postgres\"} 0\n"));
	strbuf_reset(&text);
	log_trap_set();
	health_part_set(part, true, NULL);
	log_trap_release();
	health_format_metrics(health, &text);
	assert_non_null(strstr(strbuf_cstr(&text), "\nwa_ready 1\n"));
	assert_non_null(strstr(strbuf_cstr(&text), "\nwa_part_up{part=\"postgres\"} 1\n"));
	strbuf_deinit(&text);
	health_free(&health);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_process_is_ready_when_all_its_parts_are_up),
		cmocka_unit_test(a_change_is_logged_once),
		cmocka_unit_test(who_drains_is_never_ready_again),
		cmocka_unit_test(operators_see_each_part_as_a_metric),
	};

	return cmocka_run_group_tests_name("health", tests, NULL, NULL);
}
