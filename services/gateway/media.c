/* A few fetches at a time; what they bring is stored and then the message may go. */
#include "services/gateway/media.h"

#include <stdio.h>
#include <string.h>
#include <sys/queue.h>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "services/gateway/gateway.h"
#include "services/gateway/gateway_store_inbound.h"
#include "services/gateway/gateway_store_progress.h"
#include "services/gateway/media_keep.h"
#include "services/gateway/publish.h"
#include "services/gateway/session_set.h"

#define POLL_MS         1000
#define MAX_FETCHING    4 /* each may hold WA_MEDIA_MAX_BYTES */
#define MAX_WORKS       256
#define MAX_SESSIONS    4096
#define MAX_CONNECTIONS 16
#define MAX_PER_HOST    4
#define TRIES           3
#define WHY_SIZE        256

static const int64_t retry_ms[TRIES - 1] = {1000, 4000};

enum work_state {
	WORK_WAITING, /* until due_ms */
	WORK_FETCHING,
	WORK_STORING,       /* its bytes are on their way to where they are kept */
	WORK_FAILING,       /* that it cannot be had is on its way */
	WORK_TELLING_AGAIN, /* that could not be written: due at due_ms */
};

struct work { /* the media of one message */
	TAILQ_ENTRY(work) link;
	struct media *media;
	enum work_state state;
	int tries;
	int64_t due_ms;
	struct media_fetch *fetch;
	struct media_keep *keep;
	char *message_id;
	char *url;
	char why[WHY_SIZE];
};

struct media {
	struct gateway *gateway;
	struct url_guard *guard;
	struct http_client *client;
	int64_t max_bytes;
	int64_t timeout_ms;
	TAILQ_HEAD(, work) works;
	int n_works;
	int n_fetching; /* or storing */
	bool is_polling;
	bool is_hurried; /* poll again as soon as the present one has ended */
	struct loop_timer *timer;
};

static void run_works(struct media *media);

static void work_set_state(struct work *work, enum work_state state)
{
	bool was_busy = work->state == WORK_FETCHING || work->state == WORK_STORING;
	bool is_busy = state == WORK_FETCHING || state == WORK_STORING;
	switch (state) {
	case WORK_WAITING:
	case WORK_STORING:
		ASSERT(work->state == WORK_FETCHING || work->state == WORK_STORING);
		break;
	case WORK_FETCHING:
		ASSERT(work->state == WORK_WAITING);
		break;
	case WORK_FAILING:
		ASSERT(work->state == WORK_FETCHING || work->state == WORK_TELLING_AGAIN);
		break;
	case WORK_TELLING_AGAIN:
		ASSERT(work->state == WORK_FAILING);
		break;
	}
	work->media->n_fetching += is_busy - was_busy;
	work->state = state;
}

static void work_free(struct work *work)
{
	struct media *media = work->media;
	pg_conn_forget(media->gateway->media_conn, work);
	media->n_fetching -= work->state == WORK_FETCHING || work->state == WORK_STORING;
	media_fetch_cancel(&work->fetch);
	media_keep_cancel(&work->keep);
	TAILQ_REMOVE(&media->works, work, link);
	media->n_works--;
	mem_free(work->message_id);
	mem_free(work->url);
	mem_free(work);
}

static void on_failed_written(void *ctx, const struct pg_result *result)
{
	struct work *work = ctx;
	struct media *media = work->media;
	if (pg_status(result) != PG_OK) {
		work_set_state(work, WORK_TELLING_AGAIN);
		work->due_ms = clock_mono_ms() + POLL_MS;
		return;
	}
	for (int row = 0; row < pg_rows(result); row++) {
		if (gateway_store_row_kind(result, row) != GATEWAY_ROW_MESSAGE)
			continue;
		struct gateway_message_row message;
		gateway_store_message_row(result, row, &message);
		struct publish_outcome outcome = {
			.partition = message.partition,
			.message_id = message.message_id,
			.session_id = message.session_id,
			.phone = message.phone,
			.queue_seq = message.queue_seq,
			.kind = OUTCOME_FINAL,
			.attempts = message.attempts,
		};
		publish_outcome(media->gateway->publish, &outcome);
	}
	publish_events(media->gateway->publish, result);
	work_free(work);
}

static void tell_failure(struct work *work)
{
	work_set_state(work, WORK_FAILING);
	char error[WHY_SIZE + 64];
	(void)snprintf(error, sizeof(error), "the media could not be fetched: %s", work->why);
	gateway_store_media_failed(work->media->gateway->media_conn, sv_from(work->message_id),
		sv_from(error), on_failed_written, work);
}

static void fail(struct work *work)
{
	metric_add(work->media->gateway->stats.media_failed, 1);
	log_info("media_failed", log_text("message", work->message_id),
		log_int("tries", work->tries), log_text("why", work->why));
	tell_failure(work);
}

static void on_kept(void *ctx, enum media_keep_end end, const struct err *err)
{
	struct work *work = ctx;
	struct media *media = work->media;
	work->keep = NULL;
	if (end == MEDIA_KEEP_DONE) {
		metric_add(media->gateway->stats.media_fetched, 1);
		work_free(work);
	} else { /* its bytes were not kept here: fetch it once more, in a while */
		log_warn("media_store_failed", log_text("message", work->message_id), log_err(err));
		work->due_ms = clock_mono_ms() + POLL_MS;
		work_set_state(work, WORK_WAITING);
	}
	run_works(media);
}

static void try_later_or_fail(struct work *work, const struct media_file *file)
{
	(void)snprintf(work->why, sizeof(work->why), "%s", file->why);
	if (!sv_is_utf8(sv_from(work->why)))
		(void)snprintf(work->why, sizeof(work->why), "its server does not answer properly");
	if (file->verdict == MEDIA_NEVER || work->tries >= TRIES) {
		fail(work);
		return;
	}
	work->due_ms = clock_mono_ms() + retry_ms[work->tries - 1];
	work_set_state(work, WORK_WAITING);
}

static void keep(struct work *work, const struct media_file *file)
{
	struct media_file_kept kept = {
		.message_id = sv_from(work->message_id),
		.sha256 = sv_from(file->sha256),
		.content_type = sv_from(file->content_type),
		.bytes = file->bytes,
	};
	work->keep = media_keep_start(work->media->gateway->keeper, &kept, on_kept, work);
}

static void on_fetched(void *ctx, const struct media_file *file)
{
	struct work *work = ctx;
	struct media *media = work->media;
	work->fetch = NULL;
	if (file->verdict == MEDIA_HERE) {
		work_set_state(work, WORK_STORING);
		keep(work, file);
	} else {
		try_later_or_fail(work, file);
	}
	run_works(media);
}

static void run_work(struct work *work)
{
	if (work->state == WORK_TELLING_AGAIN) {
		tell_failure(work);
		return;
	}
	work->tries++;
	work_set_state(work, WORK_FETCHING);
	work->fetch = media_fetch(work->media, sv_from(work->url), on_fetched, work);
}

static void run_works(struct media *media)
{
	int64_t now_ms = clock_mono_ms();
	struct work *work;
	TAILQ_FOREACH(work, &media->works, link)
	{
		bool is_due = (work->state == WORK_WAITING || work->state == WORK_TELLING_AGAIN) &&
			      work->due_ms <= now_ms;
		if (is_due && media->n_fetching < MAX_FETCHING)
			run_work(work);
	}
}

static void add_work(struct media *media, struct strview message_id, struct strview url)
{
	struct work *work = mem_new(struct work);
	work->media = media;
	work->state = WORK_WAITING;
	work->message_id = mem_strndup(message_id.ptr, message_id.len);
	work->url = sv_is_null(url) ? mem_strdup("") : mem_strndup(url.ptr, url.len);
	TAILQ_INSERT_TAIL(&media->works, work, link);
	media->n_works++;
}

static void poll(struct media *media);

static void on_polled(void *ctx, const struct pg_result *result)
{
	struct media *media = ctx;
	media->is_polling = false;
	for (int row = 0; row < pg_rows(result); row++)
		add_work(media, pg_text(result, row, 0), pg_text(result, row, 1));
	run_works(media);
	if (media->is_hurried)
		poll(media);
}

static void poll(struct media *media)
{
	int64_t session_ids[MAX_SESSIONS];
	struct strview known[MAX_WORKS];
	int n_known = 0;
	int n_sessions = session_set_open_ids(media->gateway->sessions, session_ids, MAX_SESSIONS);
	media->is_hurried = false;
	if (n_sessions == 0 || media->n_works == MAX_WORKS ||
		!pg_conn_is_up(media->gateway->media_conn))
		return;
	const struct work *work;
	TAILQ_FOREACH(work, &media->works, link)
	{
		known[n_known++] = sv_from(work->message_id);
	}
	media->is_polling = true;
	gateway_store_media_wanted(media->gateway->media_conn, session_ids, n_sessions, known,
		n_known, MAX_WORKS - n_known, on_polled, media);
}

static void on_timer(void *ctx)
{
	struct media *media = ctx;
	loop_timer_arm(media->timer, POLL_MS);
	run_works(media);
	if (!media->is_polling && !media->gateway->is_draining)
		poll(media);
}

void media_hurry(struct media *media)
{
	if (media->is_polling || media->is_hurried) {
		media->is_hurried = true;
		return;
	}
	media->is_hurried = true;
	loop_timer_arm(media->timer, 0);
}

struct media *media_new(struct gateway *gateway, struct err *err)
{
	const struct settings *settings = daemon_settings(gateway->daemon);
	bool is_development = strcmp(setting_text(settings, SETTING_MODE), "development") == 0;
	struct url_guard *guard = url_guard_new(
		is_development, sv_from(setting_text(settings, SETTING_OUTBOUND_ALLOW_CIDRS)), err);
	if (guard == NULL)
		return NULL;
	struct media *media = mem_new(struct media);
	media->gateway = gateway;
	media->guard = guard;
	media->client = http_client_new(gateway->loop, guard, MAX_CONNECTIONS, MAX_PER_HOST);
	media->max_bytes = setting_int(settings, SETTING_MEDIA_MAX_BYTES);
	media->timeout_ms = setting_ms(settings, SETTING_MEDIA_TIMEOUT);
	TAILQ_INIT(&media->works);
	media->timer = loop_timer_new(gateway->loop, "media", on_timer, media);
	loop_timer_arm(media->timer, POLL_MS);
	return media;
}

void media_free(struct media **media)
{
	if (*media == NULL)
		return;
	struct work *work;
	while ((work = TAILQ_FIRST(&(*media)->works)) != NULL)
		work_free(work);
	pg_conn_forget((*media)->gateway->media_conn, *media);
	http_client_free(&(*media)->client);
	url_guard_free(&(*media)->guard);
	loop_timer_free(&(*media)->timer);
	mem_free(*media);
	*media = NULL;
}

struct media_fetch *media_fetch(
	struct media *media, struct strview url, media_fetch_fn fn, void *ctx)
{
	return media_fetch_start(media->client, url, media->max_bytes, media->timeout_ms, fn, ctx);
}
