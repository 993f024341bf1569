/* What a sandbox phone says and when. The ledger is away: nothing of it is needed for that. */
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "services/gateway/sandbox.h"

#define NOWHERE "postgresql://nobody@127.0.0.1:1/nowhere"

struct scene {
	struct loop *loop;
	struct sandbox sandbox;
	struct sandbox_line line;
	char said[512]; /* "acked WA1; delivered WA1; …" */
	int n_said;
	int64_t tokens[16];
	int n_tokens;
};

static void say(struct scene *scene, const char *what, struct strview wa)
{
	size_t len = strlen(scene->said);
	(void)snprintf(scene->said + len, sizeof(scene->said) - len, "%s %.*s; ", what, SV_ARG(wa));
	scene->n_said++;
}

static void on_acked(void *ctx, struct strview wa, int64_t at_ms)
{
	assert_true(at_ms > 0);
	say(ctx, "acked", wa);
}

static void on_receipt(void *ctx, const struct engine_receipt *receipt)
{
	struct scene *scene = ctx;
	assert_true(scene->n_tokens < 16);
	scene->tokens[scene->n_tokens++] = receipt->token;
	say(scene, receipt->level == ENGINE_RECEIPT_READ ? "read" : "delivered",
		receipt->wa_message_id);
}

static const struct engine_events events = {.on_acked = on_acked, .on_receipt = on_receipt};

static void on_turn(void *ctx)
{
	(void)ctx;
}

/* The flush functions are not under test here. */
void sandbox_request_turn(struct sandbox *sandbox)
{
	loop_turn_request(sandbox->turn);
}

static void begin(struct scene *scene, int64_t ack_ms, int64_t deliver_ms, int64_t read_ms)
{
	memset(scene, 0, sizeof(*scene));
	scene->loop = loop_new();
	scene->sandbox.loop = scene->loop;
	scene->sandbox.delays = (struct sandbox_delays){ack_ms, deliver_ms, read_ms};
	scene->sandbox.turn = loop_turn_new(scene->loop, "test", on_turn, NULL);
	struct pg_conn_options options = {.url = NOWHERE, .app_name = "test"};
	scene->sandbox.conn = pg_conn_new(scene->loop, &options, NULL, NULL);
	scene->sandbox.acks = sandbox_acks_new(&scene->sandbox);
	scene->line.sandbox = &scene->sandbox;
	scene->line.session_id = 1;
	scene->line.events = &events;
	scene->line.ctx = scene;
	scene->line.receipts = sandbox_receipts_new(&scene->line);
}

static void end(struct scene *scene)
{
	sandbox_receipts_free(&scene->line.receipts);
	sandbox_acks_free(&scene->sandbox.acks);
	pg_conn_free(&scene->sandbox.conn);
	loop_turn_free(&scene->sandbox.turn);
	loop_free(&scene->loop);
}

struct wanted {
	const struct scene *scene;
	int n_said;
};

static int has_said(void *ctx)
{
	const struct wanted *wanted = ctx;
	return wanted->scene->n_said >= wanted->n_said;
}

static void wait_for(struct scene *scene, int n_said)
{
	struct wanted wanted = {scene, n_said};
	assert_true(loop_run_until(scene->loop, has_said, &wanted, 5000));
}

static void TEST(without_delays_everything_is_said_at_once)
{
	struct scene scene;
	begin(&scene, 0, 0, 0);
	sandbox_receipts_taken(scene.line.receipts, SV_LIT("WA1"), true);
	assert_string_equal(scene.said, "acked WA1; delivered WA1; read WA1; ");
	assert_int_not_equal(scene.tokens[0], scene.tokens[1]);
	end(&scene);
}

static void TEST(without_receipts_only_the_acknowledgement_is_said)
{
	struct scene scene;
	begin(&scene, 0, 0, 0);
	sandbox_receipts_taken(scene.line.receipts, SV_LIT("WA1"), false);
	assert_string_equal(scene.said, "acked WA1; ");
	end(&scene);
}

static void TEST(delays_are_kept_and_messages_do_not_wait_for_each_other)
{
	struct scene scene;
	begin(&scene, 0, 30, 60);
	int64_t begun_ms = clock_mono_ms();
	sandbox_receipts_taken(scene.line.receipts, SV_LIT("WA1"), true);
	sandbox_receipts_taken(scene.line.receipts, SV_LIT("WA2"), true);
	assert_string_equal(scene.said, "acked WA1; acked WA2; ");
	wait_for(&scene, 4);
	assert_true(clock_mono_ms() - begun_ms >= 30);
	wait_for(&scene, 6);
	assert_true(clock_mono_ms() - begun_ms >= 90);
	assert_string_equal(scene.said,
		"acked WA1; acked WA2; delivered WA1; delivered WA2; read WA1; read WA2; ");
	end(&scene);
}

static void TEST(what_is_pending_in_the_ledger_is_said_again)
{
	struct scene scene;
	begin(&scene, 0, 0, 0);
	sandbox_receipts_pending(scene.line.receipts, SV_LIT("WA1"), clock_wall_ms() - 5000, 0);
	sandbox_receipts_pending(scene.line.receipts, SV_LIT("WA2"), clock_wall_ms() - 4000, 1);
	assert_int_equal(scene.n_said, 0); /* in a later turn */
	wait_for(&scene, 3);
	assert_string_equal(scene.said, "delivered WA1; read WA1; read WA2; ");
	end(&scene);
}

static void TEST(what_is_pending_keeps_the_rest_of_its_delay)
{
	struct scene scene;
	begin(&scene, 0, 60, 0);
	int64_t begun_ms = clock_mono_ms();
	sandbox_receipts_pending(scene.line.receipts, SV_LIT("WA1"), clock_wall_ms() - 20, 0);
	wait_for(&scene, 2);
	assert_in_range(clock_mono_ms() - begun_ms, 35, 4000);
	end(&scene);
}

static void TEST(an_acknowledged_receipt_is_forgotten_and_a_token_may_come_twice)
{
	struct scene scene;
	begin(&scene, 0, 0, 0);
	sandbox_receipts_taken(scene.line.receipts, SV_LIT("WA1"), true);
	for (int again = 0; again < 2; again++) {
		for (int i = 0; i < scene.n_tokens; i++)
			sandbox_receipts_acknowledge(scene.line.receipts, scene.tokens[i]);
	}
	sandbox_receipts_acknowledge(scene.line.receipts, sandbox_token(999, SANDBOX_TOKEN_READ));
	end(&scene);
}

static void TEST(tokens_tell_what_they_stand_for)
{
	int64_t token = sandbox_token(INT64_C(123456789012), SANDBOX_TOKEN_INBOUND);
	assert_int_equal(sandbox_token_kind(token), SANDBOX_TOKEN_INBOUND);
	assert_int_equal(sandbox_token_number(token), INT64_C(123456789012));
	assert_int_equal(
		sandbox_token_kind(sandbox_token(7, SANDBOX_TOKEN_READ)), SANDBOX_TOKEN_READ);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_delays_everything_is_said_at_once),
		cmocka_unit_test(without_receipts_only_the_acknowledgement_is_said),
		cmocka_unit_test(delays_are_kept_and_messages_do_not_wait_for_each_other),
		cmocka_unit_test(what_is_pending_in_the_ledger_is_said_again),
		cmocka_unit_test(what_is_pending_keeps_the_rest_of_its_delay),
		cmocka_unit_test(an_acknowledged_receipt_is_forgotten_and_a_token_may_come_twice),
		cmocka_unit_test(tokens_tell_what_they_stand_for),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
