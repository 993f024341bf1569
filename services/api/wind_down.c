/* Jobs, each a loop of bounded statements, and the janitor that starts those that were left behind.
 */
#include "services/api/wind_down.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "services/api/api_store_erasure.h"
#include "services/api/api_store_sessions.h"

#define STEP_ROWS       1000
#define PAUSE_MS        200 /* before looking again at messages whose attempt is in flight */
#define JANITOR_MS      5000
#define JANITOR_WAIT_MS 4000

struct job {
	struct wind_down *wind_down;
	struct job *next;
	enum wind_down_kind kind;
	int32_t id;
	int64_t until_ms; /* monotonic */
	struct loop_timer *pause;
	wind_down_fn fn;
	void *ctx;
};

struct wind_down {
	struct loop *loop;
	struct api_store *store;
	struct loop_timer *janitor;
	struct job *jobs;
};

static void job_step(struct job *job);

static void job_free(struct job *job)
{
	loop_timer_free(&job->pause);
	mem_free(job);
}

static void job_end(struct job *job, bool finished)
{
	struct job **at = &job->wind_down->jobs;
	while (*at != job)
		at = &(*at)->next;
	*at = job->next;
	if (job->fn != NULL)
		job->fn(job->ctx, finished);
	job_free(job);
}

/* False: the job is over, because Postgres is away or the time is up. The janitor goes on with it.
 */
static bool job_may_go_on(struct job *job, const struct pg_result *result)
{
	if (pg_status(result) != PG_OK) {
		log_warn("wind_down_fail", log_int("id", job->id),
			log_text("status", pg_status_name(pg_status(result))),
			log_err(pg_err(result)));
		job_end(job, false);
		return false;
	}
	if (clock_mono_ms() < job->until_ms)
		return true;
	job_end(job, false);
	return false;
}

/* --- contacts --- */

static void on_finish(void *ctx, const struct pg_result *result)
{
	struct job *job = ctx;

	if (pg_status(result) == PG_OK && pg_bool(result, 0, 0))
		job_end(job, true);
	else if (job_may_go_on(job, result))
		loop_timer_arm(job->pause, PAUSE_MS); /* some are in flight */
}

static void on_media_dropped(void *ctx, const struct pg_result *result)
{
	struct job *job = ctx;
	if (job_may_go_on(job, result))
		job_step(job);
}

static void on_erasure_step(void *ctx, const struct pg_result *result)
{
	struct job *job = ctx;

	if (!job_may_go_on(job, result))
		return;
	struct pool *pool = pool_new();
	struct store_erasure_step step = store_erasure_step_at(result, pool);
	if (step.n_blanked == 0)
		store_erasure_finish(job->wind_down->store, job->id, on_finish, job);
	else
		store_media_drop(
			job->wind_down->store, step.media, step.n_media, on_media_dropped, job);
	pool_free(&pool);
}

/* --- sessions --- */

static void on_session_empty(void *ctx, const struct pg_result *result)
{
	struct job *job = ctx;
	if (pg_status(result) == PG_OK)
		job_end(job, true);
	else
		(void)job_may_go_on(job, result);
}

static void on_session_step(void *ctx, const struct pg_result *result)
{
	struct job *job = ctx;

	if (!job_may_go_on(job, result))
		return;
	if (pg_int(result, 0, 0) == 0)
		store_session_empty(job->wind_down->store, job->id, on_session_empty, job);
	else
		job_step(job);
}

/* --- both --- */

static void job_step(struct job *job)
{
	if (job->kind == WIND_DOWN_CONTACT)
		store_erasure_step(job->wind_down->store, job->id, STEP_ROWS, on_erasure_step, job);
	else
		store_session_unwind(
			job->wind_down->store, job->id, STEP_ROWS, on_session_step, job);
}

static void on_pause(void *ctx)
{
	job_step(ctx);
}

void wind_down_run(struct wind_down *wind_down, enum wind_down_kind kind, int32_t id,
	int64_t wait_ms, wind_down_fn fn, void *ctx)
{
	struct job *job = mem_new(struct job);

	job->wind_down = wind_down;
	job->kind = kind;
	job->id = id;
	job->until_ms = clock_mono_ms() + wait_ms;
	job->pause = loop_timer_new(wind_down->loop, "wind_down_pause", on_pause, job);
	job->fn = fn;
	job->ctx = ctx;
	job->next = wind_down->jobs;
	wind_down->jobs = job;
	job_step(job);
}

/* --- the janitor --- */

static bool is_running(const struct wind_down *wind_down, enum wind_down_kind kind, int32_t id)
{
	for (const struct job *job = wind_down->jobs; job != NULL; job = job->next) {
		if (job->kind == kind && job->id == id)
			return true;
	}
	return false;
}

static void take_up(
	struct wind_down *wind_down, enum wind_down_kind kind, const struct pg_result *result)
{
	if (pg_status(result) != PG_OK || pg_rows(result) == 0)
		return;
	int32_t id = (int32_t)pg_int(result, 0, 0);
	if (!is_running(wind_down, kind, id))
		wind_down_run(wind_down, kind, id, JANITOR_WAIT_MS, NULL, NULL);
}

static void on_contact_left(void *ctx, const struct pg_result *result)
{
	take_up(ctx, WIND_DOWN_CONTACT, result);
}

static void on_session_left(void *ctx, const struct pg_result *result)
{
	take_up(ctx, WIND_DOWN_SESSION, result);
}

static void on_janitor(void *ctx)
{
	struct wind_down *wind_down = ctx;

	if (api_store_is_up(wind_down->store)) {
		store_erasure_unfinished(wind_down->store, on_contact_left, wind_down);
		store_session_unfinished(wind_down->store, on_session_left, wind_down);
	}
	loop_timer_arm(wind_down->janitor, JANITOR_MS);
}

struct wind_down *wind_down_new(struct loop *loop, struct api_store *store)
{
	struct wind_down *wind_down = mem_new(struct wind_down);
	wind_down->loop = loop;
	wind_down->store = store;
	wind_down->janitor = loop_timer_new(loop, "wind_down_janitor", on_janitor, wind_down);
	loop_timer_arm(wind_down->janitor, JANITOR_MS);
	return wind_down;
}

void wind_down_free(struct wind_down **wind_down)
{
	struct wind_down *gone = *wind_down;

	*wind_down = NULL;
	if (gone == NULL)
		return;
	while (gone->jobs != NULL) {
		struct job *job = gone->jobs;
		gone->jobs = job->next;
		job_free(job);
	}
	loop_timer_free(&gone->janitor);
	mem_free(gone);
}
