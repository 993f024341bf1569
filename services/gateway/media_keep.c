/* One file's way to where it is kept. */
#include "services/gateway/media_keep.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/base/backoff.h"
#include "common/base/check.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/rng.h"
#include "services/gateway/gateway_store_inbound.h"
#include "services/gateway/gateway_store_media.h"

#define BACKOFF_BASE_MS 500
#define BACKOFF_MAX_MS  10000

enum keep_state {
	KEEP_STORING,   /* its bytes are on their way to Postgres */
	KEEP_BEGINNING, /* its object's name is */
	KEEP_PUTTING,
	KEEP_ENDING,  /* its row is on its way to Postgres */
	KEEP_WAITING, /* to begin again */
};

struct media_keep {
	struct media_keeper *keeper;
	enum keep_state state;
	struct pool *pool; /* of the copied file */
	struct media_file_kept file;
	char object[OBJECT_NAME_SIZE];
	struct object_call *put;
	struct loop_timer *retry;
	struct loop_timer *deadline; /* NULL: it waits as long as it takes */
	struct backoff backoff;
	media_keep_fn fn;
	void *ctx;
};

struct media_keeper {
	struct loop *loop;
	struct pg_conn *conn;
	struct media_store store;
	struct metric *failures;
};

struct media_keeper *media_keeper_new(struct loop *loop, struct pg_conn *conn,
	const struct settings *settings, struct metric *failures, struct err *err)
{
	struct media_keeper *keeper = mem_new(struct media_keeper);
	keeper->loop = loop;
	keeper->conn = conn;
	keeper->failures = failures;
	if (media_store_open(&keeper->store, loop, settings, err) != 0) {
		mem_free(keeper);
		return NULL;
	}
	return keeper;
}

void media_keeper_free(struct media_keeper **keeper)
{
	if (*keeper == NULL)
		return;
	media_store_close(&(*keeper)->store);
	mem_free(*keeper);
	*keeper = NULL;
}

struct object_store *media_keeper_objects(const struct media_keeper *keeper)
{
	return keeper->store.objects;
}

static void keep_set_state(struct media_keep *keep, enum keep_state state)
{
	switch (state) {
	case KEEP_BEGINNING:
		ASSERT(keep->state == KEEP_BEGINNING || keep->state == KEEP_WAITING);
		break;
	case KEEP_PUTTING:
		ASSERT(keep->state == KEEP_BEGINNING);
		break;
	case KEEP_ENDING:
		ASSERT(keep->state == KEEP_BEGINNING || keep->state == KEEP_PUTTING);
		break;
	case KEEP_WAITING:
		ASSERT(keep->state != KEEP_STORING && keep->state != KEEP_WAITING);
		break;
	case KEEP_STORING:
		WRONG("it begins so");
	}
	keep->state = state;
}

static void keep_free(struct media_keep *keep)
{
	pg_conn_forget(keep->keeper->conn, keep);
	object_call_cancel(&keep->put);
	loop_timer_free(&keep->retry);
	loop_timer_free(&keep->deadline);
	pool_free(&keep->pool);
	mem_free(keep);
}

static void end(struct media_keep *keep, enum media_keep_end how, const struct err *err)
{
	keep->fn(keep->ctx, how, err);
	keep_free(keep);
}

/* --- in Postgres --- */

static void on_stored(void *ctx, const struct pg_result *result)
{
	struct media_keep *keep = ctx;
	if (pg_status(result) == PG_OK)
		end(keep, MEDIA_KEEP_DONE, NULL);
	else
		end(keep, pg_is_retryable(result) ? MEDIA_KEEP_LATER : MEDIA_KEEP_NEVER,
			pg_err(result));
}

/* --- in the object store --- */

static void take_name(struct media_keep *keep)
{
	(void)snprintf(keep->object, sizeof(keep->object), "%.*s-%016" PRIx64,
		SV_ARG(keep->file.sha256), rng_u64());
}

static struct gateway_media_object object_of(const struct media_keep *keep)
{
	return (struct gateway_media_object){
		.object = sv_from(keep->object),
		.message_id = keep->file.message_id,
		.sha256 = keep->file.sha256,
		.content_type = keep->file.content_type,
		.size_bytes = (int64_t)keep->file.bytes.len,
	};
}

static void wait_and_begin_again(struct media_keep *keep)
{
	keep_set_state(keep, KEEP_WAITING);
	loop_timer_arm(keep->retry, backoff_fail_ms(&keep->backoff));
}

/* True: Postgres did not do it, and that has been seen to. */
static bool postgres_failed(struct media_keep *keep, const struct pg_result *result)
{
	if (pg_status(result) == PG_OK)
		return false;
	if (pg_is_retryable(result))
		wait_and_begin_again(keep);
	else
		end(keep, MEDIA_KEEP_NEVER, pg_err(result));
	return true;
}

static void on_ended(void *ctx, const struct pg_result *result)
{
	struct media_keep *keep = ctx;
	if (postgres_failed(keep, result))
		return;
	if (gateway_store_media_ended(result)) {
		end(keep, MEDIA_KEEP_DONE, NULL);
		return;
	}
	take_name(keep);
	wait_and_begin_again(keep);
}

static void write_row(struct media_keep *keep)
{
	struct gateway_media_object object = object_of(keep);
	keep_set_state(keep, KEEP_ENDING);
	gateway_store_media_end(keep->keeper->conn, &object, on_ended, keep);
}

static void on_put(void *ctx, const struct object_answer *answer)
{
	struct media_keep *keep = ctx;
	keep->put = NULL;
	if (answer->end == OBJECT_DONE) {
		write_row(keep);
		return;
	}
	metric_add(keep->keeper->failures, 1);
	log_warn("media_put_failed", log_text("object", keep->object), log_err(&answer->err));
	wait_and_begin_again(keep);
}

static void on_begun(void *ctx, const struct pg_result *result)
{
	struct media_keep *keep = ctx;
	if (postgres_failed(keep, result))
		return;
	switch (gateway_store_media_begun(result)) {
	case GATEWAY_MEDIA_IS_HERE:
		write_row(keep);
		return;
	case GATEWAY_MEDIA_DOOMED:
		take_name(keep);
		wait_and_begin_again(keep);
		return;
	case GATEWAY_MEDIA_BEGUN:
		break;
	}
	keep_set_state(keep, KEEP_PUTTING);
	const char *sha256 = pool_sv_cstr(keep->pool, keep->file.sha256);
	keep->put = object_put(
		keep->keeper->store.objects, keep->object, sha256, keep->file.bytes, on_put, keep);
}

static void begin(struct media_keep *keep)
{
	struct gateway_media_object object = object_of(keep);
	keep_set_state(keep, KEEP_BEGINNING);
	gateway_store_media_begin(keep->keeper->conn, &object, on_begun, keep);
}

static void on_retry(void *ctx)
{
	begin(ctx);
}

static void on_deadline(void *ctx)
{
	struct media_keep *keep = ctx;
	struct err err;
	err_set(&err, "not kept within %" PRId64 " ms", keep->file.wait_ms);
	end(keep, MEDIA_KEEP_LATER, &err);
}

static void copy_file(struct media_keep *keep, const struct media_file_kept *file)
{
	keep->file = (struct media_file_kept){
		.message_id = pool_sv(keep->pool, file->message_id),
		.sha256 = pool_sv(keep->pool, file->sha256),
		.content_type = pool_sv(keep->pool, file->content_type),
		.bytes = pool_sv(keep->pool, file->bytes),
		.wait_ms = file->wait_ms,
	};
}

struct media_keep *media_keep_start(struct media_keeper *keeper, const struct media_file_kept *file,
	media_keep_fn fn, void *ctx)
{
	struct media_keep *keep = mem_new(struct media_keep);
	keep->keeper = keeper;
	keep->pool = pool_new();
	keep->fn = fn;
	keep->ctx = ctx;
	if (!keeper->store.is_wanted) {
		keep->state = KEEP_STORING;
		gateway_store_media(keeper->conn, file->message_id, file->sha256,
			file->content_type, file->bytes, on_stored, keep);
		return keep;
	}
	copy_file(keep, file);
	backoff_init(&keep->backoff, BACKOFF_BASE_MS, BACKOFF_MAX_MS);
	keep->retry = loop_timer_new(keeper->loop, "media_keep", on_retry, keep);
	if (file->wait_ms > 0) {
		keep->deadline =
			loop_timer_new(keeper->loop, "media_keep_deadline", on_deadline, keep);
		loop_timer_arm(keep->deadline, file->wait_ms);
	}
	take_name(keep);
	keep->state = KEEP_BEGINNING;
	begin(keep);
	return keep;
}

void media_keep_cancel(struct media_keep **keep)
{
	if (*keep == NULL)
		return;
	keep_free(*keep);
	*keep = NULL;
}
