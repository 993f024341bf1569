/* One object after the other. */
#include "services/api/media_sweep.h"

#include <stdbool.h>
#include <stdio.h>

#include "common/base/backoff.h"
#include "common/base/check.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "services/api/api_store_media.h"

#define LOOK_MS        5000
#define BACKOFF_MAX_MS 300000
#define PAGE_OBJECTS   100

struct media_sweep {
	struct api_store *store;
	struct object_store *objects;
	struct loop_timer *timer;
	struct backoff backoff;
	struct object_call *deletion; /* NULL: none is under way */
	int n_names;
	int at; /* the one under way */
	char names[PAGE_OBJECTS][OBJECT_NAME_SIZE];
};

static void delete_next(struct media_sweep *sweep);

static void rest(struct media_sweep *sweep, const char *what, const struct err *err)
{
	log_warn("media_sweep_fail", log_text("what", what), log_err(err));
	loop_timer_arm(sweep->timer, backoff_fail_ms(&sweep->backoff));
}

static void on_noted(void *ctx, const struct pg_result *result)
{
	struct media_sweep *sweep = ctx;

	if (pg_status(result) != PG_OK) {
		rest(sweep, "note", pg_err(result));
		return;
	}
	sweep->at++;
	delete_next(sweep);
}

static void on_deleted(void *ctx, const struct object_answer *answer)
{
	struct media_sweep *sweep = ctx;

	sweep->deletion = NULL;
	if (answer->end != OBJECT_DONE) {
		rest(sweep, sweep->names[sweep->at], &answer->err);
		return;
	}
	backoff_succeed(&sweep->backoff);
	store_media_deleted(sweep->store, sv_from(sweep->names[sweep->at]), on_noted, sweep);
}

static void delete_next(struct media_sweep *sweep)
{
	if (sweep->at == sweep->n_names) /* a whole page: there may be more */
		loop_timer_arm(sweep->timer, sweep->n_names == PAGE_OBJECTS ? 0 : LOOK_MS);
	else
		sweep->deletion =
			object_delete(sweep->objects, sweep->names[sweep->at], on_deleted, sweep);
}

static void on_doomed(void *ctx, const struct pg_result *result)
{
	struct media_sweep *sweep = ctx;

	if (pg_status(result) != PG_OK) {
		rest(sweep, "look", pg_err(result));
		return;
	}
	sweep->at = sweep->n_names = 0;
	for (int row = 0; row < pg_rows(result) && row < PAGE_OBJECTS; row++) {
		int len = snprintf(sweep->names[row], OBJECT_NAME_SIZE, "%.*s",
			SV_ARG(pg_text(result, row, 0)));
		ASSERT(len > 0 && len < OBJECT_NAME_SIZE); /* we named it */
		sweep->n_names++;
	}
	if (sweep->n_names == 0) /* nothing is left to fail */
		backoff_succeed(&sweep->backoff);
	delete_next(sweep);
}

static void on_look(void *ctx)
{
	struct media_sweep *sweep = ctx;

	if (api_store_is_up(sweep->store))
		store_media_doomed(sweep->store, PAGE_OBJECTS, on_doomed, sweep);
	else
		loop_timer_arm(sweep->timer, LOOK_MS);
}

struct media_sweep *media_sweep_new(
	struct loop *loop, struct api_store *store, struct object_store *objects)
{
	struct media_sweep *sweep = mem_new(struct media_sweep);

	sweep->store = store;
	sweep->objects = objects;
	backoff_init(&sweep->backoff, LOOK_MS, BACKOFF_MAX_MS);
	sweep->timer = loop_timer_new(loop, "media_sweep", on_look, sweep);
	loop_timer_arm(sweep->timer, LOOK_MS);
	return sweep;
}

void media_sweep_free(struct media_sweep **sweep)
{
	struct media_sweep *gone = *sweep;

	*sweep = NULL;
	if (gone == NULL)
		return;
	object_call_cancel(&gone->deletion);
	loop_timer_free(&gone->timer);
	mem_free(gone);
}
