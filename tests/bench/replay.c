/*
 * The SQL of a whole message's life without the daemons: how many messages a second Postgres alone
 * takes through the statements that the services run, in batches of 100. Prints that number; what
 * each statement took goes to stderr.
 *
 * usage: WA_DATABASE_URL=… replay --mode lean|full [--seconds S] [--workers N]
 * lean: no idempotency key, one webhook a message. full: idempotency key, external_ref, metadata,
 * three webhooks. Run as the database's owner, with daemons that stand still.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "tests/bench/replay_worker.h"

#define MAX_WORKERS        (WORLD_CONTACTS / WORKER_BATCH)
#define CONNECT_TIMEOUT_MS 10000

struct replay {
	const char *url;
	bool is_full;
	double seconds;
	int n_workers;
	struct loop *loop;
	struct loop_timer *connect_timer;
	struct world world;
	struct worker *workers[MAX_WORKERS];
	int n_ready;
	int n_at_work;
	int64_t n_batches;
	int64_t begun_us;
	int64_t ended_us;
	bool is_failed;
};

static void fail(struct replay *replay, const char *what, const struct err *err)
{
	fprintf(stderr, "replay: %s: %s\n", what, err->text);
	replay->is_failed = true;
	loop_stop(replay->loop);
}

static void on_failed(void *ctx, const struct err *err)
{
	fail(ctx, "worker", err);
}

static void on_connect_timeout(void *ctx)
{
	struct err err = {"not in time"};
	fail(ctx, "connecting", &err);
}

static void on_ready(void *ctx)
{
	struct replay *replay = ctx;
	if (++replay->n_ready < replay->n_workers)
		return;
	loop_timer_disarm(replay->connect_timer);
	replay->n_at_work = replay->n_workers;
	replay->begun_us = clock_mono_us();
	for (int i = 0; i < replay->n_workers; i++)
		worker_start(replay->workers[i]);
}

static bool on_batch(void *ctx)
{
	struct replay *replay = ctx;
	replay->n_batches++;
	replay->ended_us = clock_mono_us();
	if ((double)(replay->ended_us - replay->begun_us) < replay->seconds * 1e6)
		return true;
	if (--replay->n_at_work == 0)
		loop_stop(replay->loop);
	return false;
}

static void run(struct replay *replay)
{
	int n_contacts = WORLD_CONTACTS / replay->n_workers / WORKER_BATCH * WORKER_BATCH;
	replay->loop = loop_new();
	replay->connect_timer = loop_timer_new(replay->loop, "connect", on_connect_timeout, replay);
	loop_timer_arm(replay->connect_timer, CONNECT_TIMEOUT_MS);
	for (int i = 0; i < replay->n_workers; i++) {
		struct worker_options options = {
			.loop = replay->loop,
			.url = replay->url,
			.world = &replay->world,
			.first_contact = i * n_contacts,
			.n_contacts = n_contacts,
			.on_ready = on_ready,
			.on_batch = on_batch,
			.on_failed = on_failed,
			.ctx = replay,
		};
		replay->workers[i] = worker_new(&options);
	}
	loop_run(replay->loop);
}

static void tell_stages(const struct replay *replay)
{
	fprintf(stderr, "ms a statement:");
	for (int stage = 0; stage < WORKER_STAGES; stage++) {
		int64_t us = 0;
		int64_t count = 0;
		for (int i = 0; i < replay->n_workers; i++) {
			us += worker_stage_us(replay->workers[i], (enum worker_stage)stage);
			count += worker_stage_count(replay->workers[i], (enum worker_stage)stage);
		}
		fprintf(stderr, " %s %.2f", worker_stage_name((enum worker_stage)stage),
			count > 0 ? (double)us / 1000.0 / (double)count : 0.0);
	}
	fprintf(stderr, "\n");
}

static void replay_end(struct replay *replay)
{
	for (int i = 0; i < replay->n_workers; i++)
		worker_free(&replay->workers[i]);
	loop_timer_free(&replay->connect_timer);
	loop_free(&replay->loop);
}

static int usage(void)
{
	fprintf(stderr,
		"usage: WA_DATABASE_URL=... replay --mode lean|full [--seconds S] [--workers N, at "
		"most %d]\n",
		MAX_WORKERS);
	return 2;
}

static int parse_options(int argc, char **argv, struct replay *replay)
{
	static const struct option longs[] = {{"mode", 1, NULL, 'm'}, {"seconds", 1, NULL, 's'},
		{"workers", 1, NULL, 'w'}, {NULL, 0, NULL, 0}};
	const char *mode = "";
	for (int o; (o = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
		if (o == 'm')
			mode = optarg;
		else if (o == 's')
			replay->seconds = strtod(optarg, NULL);
		else if (o == 'w')
			replay->n_workers = (int)strtol(optarg, NULL, 10);
		else
			return -1;
	}
	replay->is_full = strcmp(mode, "full") == 0;
	replay->url = getenv("WA_DATABASE_URL");
	bool is_good = (replay->is_full || strcmp(mode, "lean") == 0) && optind == argc &&
		       replay->seconds > 0 && replay->n_workers >= 1 &&
		       replay->n_workers <= MAX_WORKERS && replay->url != NULL;
	return is_good ? 0 : -1;
}

int main(int argc, char **argv)
{
	static struct replay replay = {.seconds = 20, .n_workers = 2};
	struct err err;
	if (parse_options(argc, argv, &replay) != 0)
		return usage();
	if (world_make(replay.url, replay.is_full, &replay.world, &err) != 0) {
		fprintf(stderr, "replay: making its world: %s\n", err.text);
		return 1;
	}
	run(&replay);
	if (!replay.is_failed)
		tell_stages(&replay);
	replay_end(&replay);
	if (world_leave(replay.url, &replay.world, &err) != 0) {
		fprintf(stderr, "replay: giving the leases back: %s\n", err.text);
		replay.is_failed = true;
	}
	int64_t n_messages = replay.n_batches * WORKER_BATCH;
	if (!replay.is_failed && world_check(replay.url, &replay.world, n_messages, &err) != 0) {
		fprintf(stderr, "replay: not what it should have written: %s\n", err.text);
		replay.is_failed = true;
	}
	if (replay.is_failed)
		return 1;
	printf("%.0f\n", (double)n_messages * 1e6 / (double)(replay.ended_us - replay.begun_us));
	return 0;
}
