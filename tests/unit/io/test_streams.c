/* stream_writer and stream_reader against a real Redis. */
#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/io/redis_conn.h"
#include "common/io/stream_reader.h"
#include "common/io/stream_writer.h"
#include "common/model/stream_codec.h"
#include "tests/unit/io/redis_server.h"

#define WAIT_MS  10000
#define MAX_SEEN 50000
#define EMPTY    (-1)

static struct loop *loop;
static struct redis_conn *conn; /* the test's own */
static struct stream_writer *writer;
static struct stream_reader *reader;

/* What the reader under test has handed out. */
static struct {
	int n;
	int n_batches;
	int n_resets;
	int n_up, n_down;
	int payloads[MAX_SEEN];
	int deliveries[MAX_SEEN];
	int tags[MAX_SEEN];
	char ids[MAX_SEEN][32];
	char streams[MAX_SEEN][16];
	char reset_stream[16];
	bool ack_at_once;
	int free_at;   /* free the reader at the n-th entry */
	int remove_at; /* remove the entry's stream at the n-th entry */
} seen;

static int want; /* for the conditions below */

static void on_entry(UNUSED void *ctx, const struct stream_entry *entry)
{
	char text[16];
	assert_true(seen.n < MAX_SEEN);
	(void)snprintf(text, sizeof(text), "%.*s", SV_ARG(entry->payload));
	seen.payloads[seen.n] = entry->payload.len > 0 ? atoi(text) : EMPTY;
	seen.deliveries[seen.n] = entry->deliveries;
	seen.tags[seen.n] = entry->tag;
	(void)snprintf(seen.ids[seen.n], sizeof(seen.ids[0]), "%s", entry->id);
	(void)snprintf(seen.streams[seen.n], sizeof(seen.streams[0]), "%s", entry->stream);
	seen.n++;
	if (seen.ack_at_once)
		stream_reader_ack(reader, entry->stream, entry->id);
	if (seen.n == seen.remove_at)
		stream_reader_remove(reader, entry->stream);
	if (seen.n == seen.free_at)
		stream_reader_free(&reader);
}

static void on_batch_end(UNUSED void *ctx)
{
	seen.n_batches++;
}

static void on_reset(UNUSED void *ctx, const char *stream, UNUSED int tag)
{
	seen.n_resets++;
	(void)snprintf(seen.reset_stream, sizeof(seen.reset_stream), "%s", stream);
}

static void on_change(UNUSED void *ctx, bool up, UNUSED const struct err *err)
{
	seen.n_up += up;
	seen.n_down += !up;
}

static const struct stream_reader_events events = {.on_entry = on_entry,
	.on_batch_end = on_batch_end,
	.on_reset = on_reset,
	.on_change = on_change};

static int is_conn_up(UNUSED void *ctx)
{
	return redis_conn_is_up(conn);
}

static int is_reader_up(UNUSED void *ctx)
{
	return stream_reader_is_up(reader);
}

static int has_seen(UNUSED void *ctx)
{
	return seen.n >= want;
}

static int has_reset(UNUSED void *ctx)
{
	return seen.n_resets >= want;
}

static int is_down(UNUSED void *ctx)
{
	return seen.n_down >= want;
}

static int is_freed(UNUSED void *ctx)
{
	return reader == NULL;
}

static int is_caught_up(void *ctx)
{
	return stream_reader_is_caught_up(reader, ctx);
}

static int has_dropped(UNUSED void *ctx)
{
	return stream_writer_dropped(writer) >= want;
}

static int is_added(UNUSED void *ctx)
{
	return stream_writer_added(writer) >= want;
}

static void wait_seen(int n)
{
	want = n;
	if (!loop_run_until(loop, has_seen, NULL, WAIT_MS))
		fail_msg("saw %d of %d entries", seen.n, n);
	assert_int_equal(seen.n, n);
}

/* Nothing more comes within the longest time that the reader lets anything wait. */
static void expect_no_more(void)
{
	want = seen.n + 1;
	assert_false(loop_run_until(loop, has_seen, NULL, 700));
}

static const char *shared_url(void)
{
	const char *url = getenv("WA_TEST_REDIS_URL");
	if (url == NULL)
		fail_msg("run under tests/support/with_services.sh");
	return url;
}

static const char *url;

static void new_reader(int batch, int max_unacked)
{
	struct stream_reader_options options = {
		.redis_url = url, .group = "tests", .batch = batch, .max_unacked = max_unacked};
	struct err err;
	reader = stream_reader_new(loop, &options, &events, NULL, &err);
	assert_non_null(reader);
}

static void begin(const char *redis_url)
{
	struct err err;
	url = redis_url;
	loop = loop_new();
	memset(&seen, 0, sizeof(seen));
	conn = redis_conn_new(loop, url, NULL, NULL, &err);
	assert_non_null(conn);
	assert_true(loop_run_until(loop, is_conn_up, NULL, WAIT_MS));
	writer = stream_writer_new(loop, conn);
}

struct answer {
	int n;
	enum redis_status status;
	enum redis_kind kind;
	int64_t number;
	int len;
};

static void on_answer(void *ctx, enum redis_status status, const struct redis_reply *reply)
{
	struct answer *answer = ctx;
	const struct redis_reply *first =
		redis_reply_len(reply) > 0 ? redis_reply_at(reply, 0) : reply;
	*answer = (struct answer){.n = 1,
		.status = status,
		.kind = redis_reply_kind(reply),
		.number = redis_reply_int(first),
		.len = redis_reply_len(reply)};
}

static int is_answered(void *ctx)
{
	return ((struct answer *)ctx)->n > 0;
}

static struct answer run_words(const char *words)
{
	struct strview argv[16];
	int argc = 0;
	struct strview rest = sv_from(words);
	struct answer answer = {.n = 0};
	while (sv_split(&rest, ' ', &argv[argc]))
		argc++;
	redis_conn_command(conn, argc, argv, WAIT_MS, on_answer, &answer);
	assert_true(loop_run_until(loop, is_answered, &answer, WAIT_MS));
	return answer;
}

static int set_up(UNUSED void **state)
{
	begin(shared_url());
	(void)run_words("FLUSHALL");
	new_reader(0, 0);
	return 0;
}

static int tear_down(UNUSED void **state)
{
	stream_reader_free(&reader);
	stream_writer_free(&writer);
	redis_conn_free(&conn);
	loop_free(&loop);
	return 0;
}

static void add(const char *stream, int from, int to)
{
	for (int i = from; i < to; i++) {
		char text[16];
		(void)snprintf(text, sizeof(text), "%d", i);
		stream_writer_add(writer, stream, sv_from(text));
	}
	want = (int)stream_writer_added(writer) + to - from;
	assert_true(loop_run_until(loop, is_added, NULL, WAIT_MS));
}

static void ack(int i)
{
	stream_reader_ack(reader, seen.streams[i], seen.ids[i]);
}

/* --- conditions inside Redis --- */

static void wait_empty(const char *stream)
{
	char pending[64], len[64];
	(void)snprintf(pending, sizeof(pending), "XPENDING %s tests", stream);
	(void)snprintf(len, sizeof(len), "XLEN %s", stream);
	int64_t give_up_ms = clock_mono_ms() + WAIT_MS;
	while (run_words(pending).number != 0 || run_words(len).number != 0)
		assert_true(clock_mono_ms() < give_up_ms);
}

static void start_reading(const char *stream)
{
	static char name[16];
	(void)snprintf(name, sizeof(name), "%s", stream);
	stream_reader_add(reader, stream, 7);
	assert_true(loop_run_until(loop, is_caught_up, name, WAIT_MS));
}

/* --- reading --- */

static void TEST(entries_are_read_in_order_and_removed_by_the_ack)
{
	start_reading("a");
	assert_int_equal(seen.n_up, 1);
	add("a", 0, 100);
	wait_seen(100);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(seen.payloads[i], i);
		assert_int_equal(seen.deliveries[i], 1);
		assert_int_equal(seen.tags[i], 7);
		assert_string_equal(seen.streams[i], "a");
	}
	assert_true(seen.n_batches > 0);
	assert_int_equal(stream_reader_unacked(reader), 100);
	for (int i = 0; i < 100; i++)
		ack(i);
	assert_int_equal(stream_reader_unacked(reader), 0);
	wait_empty("a");
	expect_no_more();
	assert_int_equal(seen.n_resets, 0);
}

static void TEST(entries_that_were_there_before_are_read)
{
	add("a", 0, 10);
	start_reading("a");
	wait_seen(10);
	assert_int_equal(seen.deliveries[0], 1);
}

static void TEST(a_stream_added_while_a_read_waits_is_read)
{
	start_reading("a");
	add("a", 0, 1);
	wait_seen(1);
	add("b", 1, 2);
	stream_reader_add(reader, "b", 8);
	stream_reader_add(reader, "b", 9);
	wait_seen(2);
	assert_string_equal(seen.streams[1], "b");
	assert_int_equal(seen.tags[1], 8);
	expect_no_more();
}

static void TEST(what_a_dead_owner_left_is_handed_out_with_its_count)
{
	start_reading("a");
	add("a", 0, 1000);
	wait_seen(1000);
	for (int i = 0; i < 10; i++)
		ack(i);
	want = 0;
	while (run_words("XLEN a").number != 990)
		;
	for (int life = 2; life < 5; life++) {
		stream_reader_free(&reader);
		seen.n = 0;
		new_reader(100, 0);
		stream_reader_add(reader, "a", life);
		/* Not before: what comes while the dead owner's connection still waits in Redis
		 * counts as delivered to it. */
		assert_true(loop_run_until(loop, is_caught_up, (char[]){"a"}, WAIT_MS));
		add("a", 5000 + life, 5001 + life);
		int left = 990 + life - 1;
		wait_seen(left);
		for (int i = 0; i < 990; i++) {
			assert_int_equal(seen.payloads[i], i + 10);
			assert_int_equal(seen.deliveries[i], life);
			assert_int_equal(seen.tags[i], life);
		}
		assert_int_equal(seen.payloads[left - 1], 5000 + life);
		assert_int_equal(seen.deliveries[left - 1], 1);
		assert_true(stream_reader_is_caught_up(reader, "a"));
		expect_no_more(); /* nor does the late pass bring anything twice */
	}
	for (int i = 0; i < seen.n; i++)
		ack(i);
	wait_empty("a");
}

static void TEST(trimmed_entries_are_dropped_silently)
{
	start_reading("a");
	add("a", 0, 20);
	wait_seen(20);
	stream_reader_free(&reader);
	(void)run_words("XTRIM a MAXLEN 5");
	seen.n = 0;
	new_reader(8, 0);
	start_reading("a");
	wait_seen(5);
	assert_int_equal(seen.payloads[0], 15);
	assert_int_equal(seen.deliveries[0], 2);
	assert_true(loop_run_until(loop, is_caught_up, (char[]){"a"}, WAIT_MS));
	expect_no_more();
	for (int i = 0; i < 5; i++)
		ack(i);
	wait_empty("a");
}

static void TEST(malformed_entries_are_handed_out_as_empty_and_stop_nothing)
{
	start_reading("a");
	(void)run_words("XADD a * m 1 n 2");
	(void)run_words("XADD a * x 1");
	add("a", 3, 4);
	(void)run_words("XADD a * M 1");
	wait_seen(4);
	assert_int_equal(seen.payloads[0], EMPTY);
	assert_int_equal(seen.payloads[1], EMPTY);
	assert_int_equal(seen.payloads[2], 3);
	assert_int_equal(seen.payloads[3], EMPTY);
	for (int i = 0; i < 4; i++)
		ack(i);
	wait_empty("a");
}

static void TEST(too_much_in_hand_stops_the_reading)
{
	stream_reader_free(&reader);
	new_reader(10, 25);
	start_reading("a");
	add("a", 0, 100);
	want = 25;
	assert_true(loop_run_until(loop, has_seen, NULL, WAIT_MS));
	want = 36;
	assert_false(loop_run_until(loop, has_seen, NULL, 600));
	assert_in_range(seen.n, 25, 35);
	int acked = 0;
	while (acked < 100) {
		want = acked + 1;
		assert_true(loop_run_until(loop, has_seen, NULL, WAIT_MS));
		ack(acked++);
	}
	wait_empty("a");
	assert_int_equal(seen.n, 100);
}

static void TEST(a_paused_reader_reads_nothing)
{
	start_reading("a");
	stream_reader_pause(reader, true);
	expect_no_more(); /* what was under way is over */
	add("a", 0, 3);
	expect_no_more();
	stream_reader_pause(reader, false);
	wait_seen(3);
}

static void TEST(a_removed_stream_is_left_to_the_next_owner)
{
	start_reading("a");
	add("a", 0, 3);
	wait_seen(3);
	ack(0);
	stream_reader_remove(reader, "a");
	assert_int_equal(stream_reader_unacked(reader), 0);
	assert_false(stream_reader_is_caught_up(reader, "a"));
	ack(1); /* too late: nothing happens */
	while (run_words("XLEN a").number != 2)
		;
	add("a", 3, 4);
	expect_no_more();
	stream_reader_add(reader, "a", 9);
	wait_seen(3 + 3);
	assert_int_equal(seen.payloads[3], 1);
	assert_int_equal(seen.deliveries[3], 2);
	assert_int_equal(seen.payloads[5], 3);
	assert_int_equal(seen.tags[5], 9);
}

static void TEST(entries_sent_to_one_who_left_are_found_by_the_late_pass)
{
	start_reading("a");
	stream_reader_pause(reader, true);
	expect_no_more(); /* no read is under way any more */
	/* As if the last owner's XREADGROUP had still been waiting in Redis. */
	(void)run_words("XADD a * m 5");
	assert_int_equal(run_words("XREADGROUP GROUP tests owner COUNT 1 STREAMS a >").len, 1);
	stream_reader_pause(reader, false);
	wait_seen(1);
	assert_int_equal(seen.payloads[0], 5);
	assert_int_equal(seen.deliveries[0], 1);
	expect_no_more();
}

/* --- loss --- */

static void TEST(a_lost_connection_loses_and_doubles_nothing)
{
	start_reading("a");
	add("a", 0, 10);
	wait_seen(10);
	for (int i = 0; i < 5; i++)
		ack(i); /* sent again when they are lost with the connection */
	/* As if Redis had sent these to us on the connection that breaks. */
	stream_reader_pause(reader, true);
	expect_no_more();
	(void)run_words("XADD a * m 10");
	assert_int_equal(run_words("XREADGROUP GROUP tests owner STREAMS a >").len, 1);
	want = 1;
	(void)run_words("CLIENT KILL TYPE normal SKIPME yes");
	stream_reader_pause(reader, false);
	assert_true(loop_run_until(loop, is_down, NULL, WAIT_MS));
	assert_true(loop_run_until(loop, is_reader_up, NULL, WAIT_MS));
	wait_seen(11);
	assert_int_equal(seen.payloads[10], 10);
	assert_int_equal(seen.deliveries[10], 1);
	add("a", 11, 12);
	wait_seen(12);
	expect_no_more();
	for (int i = 5; i < 12; i++)
		ack(i);
	wait_empty("a");
	assert_int_equal(seen.n_resets, 0);
	assert_int_equal(seen.n_down, 1);
}

static void TEST(acks_outlive_lost_connections)
{
	enum { N = 2000 };
	start_reading("a");
	add("a", 0, N);
	wait_seen(N);
	for (int i = 0; i < N; i++) {
		ack(i);
		if (i % 200 == 0)
			(void)run_words("CLIENT KILL TYPE normal SKIPME yes");
	}
	wait_empty("a");
	expect_no_more();
}

static void TEST(a_flush_is_a_reset)
{
	start_reading("a");
	start_reading("b");
	add("a", 0, 2);
	wait_seen(2);
	(void)run_words("FLUSHALL");
	want = 2;
	assert_true(loop_run_until(loop, has_reset, NULL, WAIT_MS));
	assert_int_equal(stream_reader_unacked(reader), 0);
	ack(0); /* of an entry that is no more: ignored, its id may be that of a new one */
	add("a", 2, 3);
	add("b", 3, 4);
	wait_seen(4);
	ack(2);
	ack(3);
	wait_empty("a");
	wait_empty("b");
	assert_int_equal(seen.n_resets, 2);
	assert_int_equal(seen.n_down, 0);
}

static void TEST(one_deleted_stream_is_the_only_one_reset)
{
	start_reading("a");
	start_reading("b");
	add("a", 0, 1);
	add("b", 1, 2);
	wait_seen(2);
	(void)run_words("DEL b");
	want = 1;
	assert_true(loop_run_until(loop, has_reset, NULL, WAIT_MS));
	add("a", 2, 3);
	add("b", 3, 4);
	wait_seen(4);
	assert_int_equal(seen.n_resets, 1);
	assert_string_equal(seen.reset_stream, "b");
}

static void TEST(a_redis_that_comes_back_empty_is_a_reset)
{
	struct redis_server *server = redis_server_new(NULL);
	(void)tear_down(NULL);
	begin(redis_server_url(server));
	new_reader(0, 0);
	start_reading("a");
	add("a", 0, 5);
	wait_seen(5);
	redis_server_kill(server);
	want = 1;
	assert_true(loop_run_until(loop, is_down, NULL, WAIT_MS));
	assert_false(stream_reader_is_up(reader));
	ack(0);
	redis_server_start(server);
	assert_true(loop_run_until(loop, has_reset, NULL, WAIT_MS));
	assert_true(loop_run_until(loop, is_conn_up, NULL, WAIT_MS));
	add("a", 5, 7);
	wait_seen(7);
	ack(5);
	ack(6);
	wait_empty("a");
	assert_int_equal(seen.n_resets, 1);
	redis_server_free(&server);
}

static void TEST(a_key_of_another_type_stops_only_its_own_stream)
{
	(void)run_words("SET b x");
	start_reading("a");
	stream_reader_add(reader, "b", 1);
	add("a", 0, 1);
	wait_seen(1);
	(void)run_words("DEL b");
	add("b", 1, 2);
	wait_seen(2);
	(void)run_words("DEL b");
	(void)run_words("SET b x");
	add("a", 2, 3);
	wait_seen(3);
	(void)run_words("DEL b");
	want = 1;
	assert_true(loop_run_until(loop, has_reset, NULL, WAIT_MS));
}

/* --- callbacks that do much --- */

static void TEST(on_entry_may_free_the_reader)
{
	add("a", 0, 10);
	seen.free_at = 4;
	stream_reader_add(reader, "a", 1);
	assert_true(loop_run_until(loop, is_freed, NULL, WAIT_MS));
	assert_int_equal(seen.n, 4);
	/* The same while it catches up. */
	seen.n = 0;
	seen.free_at = 3;
	new_reader(0, 0);
	stream_reader_add(reader, "a", 1);
	assert_true(loop_run_until(loop, is_freed, NULL, WAIT_MS));
	assert_int_equal(seen.n, 3);
	assert_int_equal(seen.deliveries[2], 2);
}

static void TEST(on_entry_may_remove_its_stream)
{
	add("a", 0, 10);
	add("b", 10, 12);
	seen.remove_at = 4;
	stream_reader_add(reader, "a", 1);
	want = 4;
	assert_true(loop_run_until(loop, has_seen, NULL, WAIT_MS));
	expect_no_more();
	stream_reader_add(reader, "b", 1);
	wait_seen(6);
	/* And while it catches up. */
	seen.n = 0;
	stream_reader_add(reader, "a", 1);
	want = 4;
	assert_true(loop_run_until(loop, has_seen, NULL, WAIT_MS));
	expect_no_more();
	assert_int_equal(seen.n, 4);
}

static void TEST(a_writer_counts_what_is_dropped)
{
	stream_writer_free(&writer);
	redis_conn_free(&conn);
	struct err err;
	conn = redis_conn_new(loop, "redis://127.0.0.1:1", NULL, NULL, &err);
	struct stream_writer *lost = stream_writer_new(loop, conn);
	stream_writer_add(lost, "a", SV_LIT("x"));
	want = 1;
	assert_false(loop_run_until(loop, has_seen, NULL, 50));
	assert_int_equal(stream_writer_added(lost), 0);
	assert_int_equal(stream_writer_dropped(lost), 1);
	stream_writer_add(lost, "a", SV_LIT("x"));
	stream_writer_free(&lost); /* with one still under way */
}

static void wait_told(void)
{
	int64_t give_up_ms = clock_mono_ms() + WAIT_MS;
	while (run_words("EXISTS " STREAM_GENERATION_KEY).number != 0)
		assert_true(clock_mono_ms() < give_up_ms);
}

static void TEST(a_writer_that_lost_something_tells_the_readers)
{
	(void)run_words("SET " STREAM_GENERATION_KEY " 1");
	(void)run_words("SET nostream x");
	add("a", 0, 1);
	assert_int_equal(run_words("EXISTS " STREAM_GENERATION_KEY).number, 1);
	stream_writer_add(writer, "nostream", SV_LIT("refused"));
	wait_told();
	assert_int_equal(stream_writer_dropped(writer), 1);
}

static void TEST(a_writer_tells_when_the_connection_is_back)
{
	struct redis_server *server = redis_server_new(NULL);
	(void)tear_down(NULL);
	begin(redis_server_url(server));
	(void)run_words("SET " STREAM_GENERATION_KEY " 1");
	redis_server_freeze(server);
	stream_writer_add(writer, "a", SV_LIT("late"));
	want = 1;
	assert_true(loop_run_until(loop, has_dropped, NULL, WAIT_MS));
	redis_server_thaw(server);
	assert_true(loop_run_until(loop, is_conn_up, NULL, WAIT_MS));
	wait_told();
	stream_writer_free(&writer);
	redis_conn_free(&conn);
	loop_free(&loop);
	redis_server_free(&server);
	begin(shared_url());
}

static void TEST(many_streams_are_read_by_one_reader)
{
	enum { STREAMS = 64, EACH = 500 };
	char name[16];
	int next[STREAMS] = {0};
	seen.ack_at_once = true;
	for (int i = 0; i < STREAMS; i++) {
		(void)snprintf(name, sizeof(name), "s%d", i);
		stream_reader_add(reader, name, i);
	}
	int64_t start_us = clock_mono_us();
	for (int n = 0; n < EACH; n++) {
		for (int i = 0; i < STREAMS; i++) {
			char text[16];
			(void)snprintf(name, sizeof(name), "s%d", i);
			(void)snprintf(text, sizeof(text), "%d", n);
			stream_writer_add(writer, name, sv_from(text));
		}
	}
	wait_seen(STREAMS * EACH);
	print_message("# %d entries written, read and acknowledged in %lld ms\n", seen.n,
		(long long)(clock_mono_us() - start_us) / 1000);
	for (int i = 0; i < seen.n; i++)
		assert_int_equal(seen.payloads[i], next[seen.tags[i]]++);
	for (int i = 0; i < STREAMS; i++) {
		(void)snprintf(name, sizeof(name), "s%d", i);
		wait_empty(name);
	}
}

#define STREAM_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STREAM_TEST(entries_are_read_in_order_and_removed_by_the_ack),
		STREAM_TEST(entries_that_were_there_before_are_read),
		STREAM_TEST(a_stream_added_while_a_read_waits_is_read),
		STREAM_TEST(what_a_dead_owner_left_is_handed_out_with_its_count),
		STREAM_TEST(trimmed_entries_are_dropped_silently),
		STREAM_TEST(malformed_entries_are_handed_out_as_empty_and_stop_nothing),
		STREAM_TEST(too_much_in_hand_stops_the_reading),
		STREAM_TEST(a_paused_reader_reads_nothing),
		STREAM_TEST(a_removed_stream_is_left_to_the_next_owner),
		STREAM_TEST(entries_sent_to_one_who_left_are_found_by_the_late_pass),
		STREAM_TEST(a_lost_connection_loses_and_doubles_nothing),
		STREAM_TEST(acks_outlive_lost_connections),
		STREAM_TEST(a_flush_is_a_reset),
		STREAM_TEST(one_deleted_stream_is_the_only_one_reset),
		STREAM_TEST(a_redis_that_comes_back_empty_is_a_reset),
		STREAM_TEST(a_key_of_another_type_stops_only_its_own_stream),
		STREAM_TEST(on_entry_may_free_the_reader),
		STREAM_TEST(on_entry_may_remove_its_stream),
		STREAM_TEST(a_writer_counts_what_is_dropped),
		STREAM_TEST(a_writer_that_lost_something_tells_the_readers),
		STREAM_TEST(a_writer_tells_when_the_connection_is_back),
		STREAM_TEST(many_streams_are_read_by_one_reader),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
