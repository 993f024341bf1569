/*
 * The Baileys engine: WhatsApp through a Node process that holds no state. docs/engine-baileys.md
 * is its design. Here: what all its sessions share.
 */
#include "services/gateway/baileys.h"

#include <string.h>

#include "common/base/check.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "services/gateway/baileys_store.h"

#define CONN_APP       "gateway baileys"
#define MEDIA_CONN_APP "gateway baileys media"
#define SWEEP_MS       6000 /* after a deletion: its logout needs its credentials until then */
#define RETRY_MS       100
#define WARM_MS        5000     /* is there a session, though another gateway's? */
#define UNSENT_MAX     16777216 /* bytes that the worker has not taken: no more sends */

static struct strview number_key(const int64_t *number)
{
	return sv_make(number, sizeof(*number));
}

static struct baileys_line *find_line(const struct baileys *baileys, int64_t number)
{
	struct keyed_node *node = keyed_find(baileys->by_number, 0, number_key(&number));
	return node != NULL ? container_of(node, struct baileys_line, node) : NULL;
}

void baileys_post(struct baileys *baileys, struct strbuf *frame)
{
	if (baileys_worker_is_up(baileys->worker))
		baileys_worker_send(baileys->worker, strbuf_view(frame));
	strbuf_deinit(frame);
}

/* --- the worker --- */

static void on_up(void *ctx)
{
	struct baileys *baileys = ctx;
	loop_turn_request(baileys->turn);
}

static void on_down(void *ctx)
{
	struct baileys *baileys = ctx;
	struct baileys_line *line;
	TAILQ_FOREACH(line, &baileys->lines, link)
	{
		if (line->state == BAILEYS_LINE_OPEN)
			baileys_line_break(line, "the WhatsApp worker was lost");
	}
}

static void log_word(const struct baileys *baileys, const struct baileys_frame *frame)
{
	const struct baileys_line *line = find_line(baileys, frame->fields[LOG_LINE].number);
	struct strview what = frame->fields[LOG_WHAT].text;
	int32_t session_id = line != NULL ? line->session_id : 0;
	for (size_t i = 0; i < what.len; i++) {
		if ((what.ptr[i] < 'a' || what.ptr[i] > 'z') &&
			(what.ptr[i] < '0' || what.ptr[i] > '9') && what.ptr[i] != '_')
			return; /* a fixed word, or nothing: it must not carry anybody's data */
	}
	if (sv_eq_cstr(frame->fields[LOG_LEVEL].text, "info"))
		log_info("worker_says", log_int("session", session_id), log_sv("what", what));
	else
		log_warn("worker_says", log_int("session", session_id), log_sv("what", what));
}

static void on_frame(void *ctx, const struct baileys_frame *frame)
{
	struct baileys *baileys = ctx;
	if (frame->kind == BAILEYS_LOG) {
		log_word(baileys, frame);
		return;
	}
	struct baileys_line *line = find_line(baileys, frame->fields[BAILEYS_LINE].number);
	if (line != NULL && line->state == BAILEYS_LINE_OPEN)
		baileys_line_take(line, frame);
}

static void on_turn(void *ctx)
{
	struct baileys *baileys = ctx;
	struct baileys_line *line;
	TAILQ_FOREACH(line, &baileys->lines, link)
	{
		if (line->state == BAILEYS_LINE_WAITING)
			baileys_line_worker_up(line);
	}
}

/* --- keys of sessions that are gone --- */

static void on_swept(void *ctx, const struct pg_result *result)
{
	struct baileys *baileys = ctx;
	if (pg_status(result) != PG_OK)
		loop_timer_arm(baileys->sweep_timer, SWEEP_MS);
}

static void on_sweep(void *ctx)
{
	struct baileys *baileys = ctx;
	baileys_store_sweep(baileys->conn, on_swept, baileys);
}

/* --- kept warm: a gateway that takes over does not wait for its worker to start --- */

static void on_any(void *ctx, const struct pg_result *result)
{
	struct baileys *baileys = ctx;
	if (pg_status(result) != PG_OK) /* perhaps not connected yet: a take-over may be near */
		loop_timer_arm(baileys->warm_timer, RETRY_MS);
	else if (pg_bool(result, 0, 0))
		baileys_worker_want(baileys->worker);
	else
		loop_timer_arm(baileys->warm_timer, WARM_MS);
}

static void on_warm(void *ctx)
{
	struct baileys *baileys = ctx;
	baileys_store_any(baileys->conn, on_any, baileys);
}

/* --- the engine --- */

static struct pg_conn *connect_one(struct baileys *baileys, const char *app_name)
{
	struct pg_conn_options options = {.url = baileys->url, .app_name = app_name};
	return pg_conn_new(baileys->loop, &options, NULL, NULL);
}

static void begin(struct baileys *baileys)
{
	baileys->url = mem_strdup(setting_text(baileys->settings, SETTING_DATABASE_URL));
	baileys->conn = connect_one(baileys, CONN_APP);
	baileys->media_conn = connect_one(baileys, MEDIA_CONN_APP);
	loop_timer_arm(baileys->sweep_timer, SWEEP_MS);
	loop_timer_arm(baileys->warm_timer, 0);
}

static void *baileys_start(const struct engine_host *host)
{
	static const struct baileys_worker_events events = {
		.on_up = on_up, .on_down = on_down, .on_frame = on_frame};
	struct baileys *baileys = mem_new(struct baileys);
	struct err err;
	baileys->loop = host->loop;
	baileys->settings = host->settings;
	baileys->keeper = host->keeper;
	TAILQ_INIT(&baileys->lines);
	baileys->by_number = keyed_new();
	baileys->turn = loop_turn_new(host->loop, "baileys", on_turn, baileys);
	baileys->sweep_timer = loop_timer_new(host->loop, "baileys_sweep", on_sweep, baileys);
	baileys->warm_timer = loop_timer_new(host->loop, "baileys_warm", on_warm, baileys);
	baileys->uploads = baileys_uploads_new(baileys);
	baileys->worker =
		baileys_worker_new(host->loop, host->settings, host->metrics, &events, baileys);
	/* Without them its sessions fail with a reason, and need no connections. */
	if (setting_text(host->settings, SETTING_MASTER_KEY)[0] == '\0' ||
		setting_text(host->settings, SETTING_BAILEYS_DIR)[0] == '\0')
		return baileys;
	baileys->box =
		secret_box_new(sv_from(setting_text(host->settings, SETTING_MASTER_KEY)), &err);
	if (baileys->box == NULL)
		log_error("baileys_without_key", log_err(&err));
	else
		begin(baileys);
	return baileys;
}

static void baileys_stop(void *shared)
{
	struct baileys *baileys = shared;
	ASSERT(TAILQ_EMPTY(&baileys->lines));
	baileys_worker_free(&baileys->worker);
	baileys_uploads_free(&baileys->uploads);
	pg_conn_free(&baileys->conn);
	pg_conn_free(&baileys->media_conn);
	secret_box_free(&baileys->box);
	keyed_free(&baileys->by_number);
	loop_turn_free(&baileys->turn);
	loop_timer_free(&baileys->sweep_timer);
	loop_timer_free(&baileys->warm_timer);
	mem_free(baileys->url);
	mem_free(baileys);
}

static void *baileys_open(void *shared, const struct engine_session *session,
	const struct engine_events *events, void *ctx)
{
	struct baileys *baileys = shared;
	struct baileys_line *line = baileys_line_new(baileys, session, events, ctx);
	TAILQ_INSERT_TAIL(&baileys->lines, line, link);
	keyed_insert(baileys->by_number, &line->node, 0, number_key(&line->number));
	loop_turn_request(baileys->turn);
	return line;
}

static void baileys_close(void *self, enum engine_close why)
{
	struct baileys_line *line = self;
	struct baileys *baileys = line->baileys;
	TAILQ_REMOVE(&baileys->lines, line, link);
	keyed_remove(baileys->by_number, &line->node);
	baileys_line_free(&line, why);
	if (why == ENGINE_CLOSE_DELETED && baileys->conn != NULL)
		loop_timer_arm(baileys->sweep_timer, SWEEP_MS);
}

static bool baileys_is_ready(const void *self)
{
	const struct baileys_line *line = self;
	return line->state == BAILEYS_LINE_OPEN && line->reported == SESSION_CONNECTED &&
	       baileys_worker_unsent_bytes(line->baileys->worker) < UNSENT_MAX;
}

static void baileys_send(void *self, const struct engine_message *message)
{
	baileys_line_send(self, message);
}

static void baileys_acknowledge(void *self, int64_t token)
{
	baileys_line_acknowledge(self, token);
}

static void baileys_pair(void *self, struct strview phone)
{
	baileys_line_pair(self, phone);
}

const struct engine_kind engine_baileys = {
	.name = "baileys",
	.start = baileys_start,
	.stop = baileys_stop,
	.open = baileys_open,
	.close = baileys_close,
	.is_ready = baileys_is_ready,
	.send = baileys_send,
	.acknowledge = baileys_acknowledge,
	.pair = baileys_pair,
};
