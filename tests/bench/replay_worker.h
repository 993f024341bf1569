/*
 * One worker of the replay: walks batches of messages through the statements of a whole life, one
 * after another. It calls the services' own stores, so what it runs is what the daemons run.
 */
#ifndef WA_BENCH_REPLAY_WORKER_H
#define WA_BENCH_REPLAY_WORKER_H

#include "common/io/loop.h"
#include "tests/bench/replay_world.h"

#define WORKER_BATCH 100

enum worker_stage {
	STAGE_ACCEPT,
	STAGE_CLAIM,
	STAGE_TAKE,        /* into the sandbox's ledger */
	STAGE_PROGRESS,    /* sent, delivered and read at once, as with a sandbox without delays */
	STAGE_ACKNOWLEDGE, /* the receipts, in the ledger */
	STAGE_PREPARE,     /* what is needed to render the webhooks */
	STAGE_RECORD,      /* that their endpoint took them */
};
#define WORKER_STAGES (STAGE_RECORD + 1)

struct worker;

struct worker_options {
	struct loop *loop;
	const char *url;
	const struct world *world;   /* borrowed, as url */
	int first_contact;           /* of this worker's own, in world->contacts … */
	int n_contacts;              /* … a multiple of WORKER_BATCH */
	void (*on_ready)(void *ctx); /* connected: worker_start() may be called */
	/* A batch is through; returns whether to begin the next. */
	bool (*on_batch)(void *ctx);
	void (*on_failed)(void *ctx, const struct err *err); /* it does nothing any more */
	void *ctx;
};

struct worker *worker_new(const struct worker_options *options);
void worker_free(struct worker **worker);
void worker_start(struct worker *worker);
/* Time spent waiting for this stage's statements, and how many they were. */
int64_t worker_stage_us(const struct worker *worker, enum worker_stage stage);
int64_t worker_stage_count(const struct worker *worker, enum worker_stage stage);
const char *worker_stage_name(enum worker_stage stage);

#endif
