/* One process at a time, on a bufferevent. */
#include "services/gateway/baileys_worker.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/backoff.h"
#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "services/gateway/baileys_spawn.h"

#define READY_MS        20000
#define SILENCE_MS      20000
#define HEARTBEAT_MS    2000
#define REAP_MS         20
#define BACKOFF_BASE_MS 250
#define BACKOFF_MAX_MS  30000
#define STEADY_MS       60000 /* up for as long: its earlier failures are forgotten */
#define FAT_BEATS       3     /* heartbeats in a row with too much memory */
#define MIB             1048576
#define READ_HIGH_BYTES (BAILEYS_FRAME_MAX + BAILEYS_FRAME_HEAD)

enum worker_state {
	WORKER_NONE,     /* not wanted yet */
	WORKER_STARTING, /* until it says that it is ready */
	WORKER_UP,
	WORKER_STOPPING, /* killed, not yet reaped */
	WORKER_WAITING,  /* to be started again */
};

struct baileys_worker {
	struct loop *loop;
	const struct settings *settings;
	const struct baileys_worker_events *events;
	void *ctx;
	enum worker_state state;
	pid_t pid; /* while STARTING, UP and STOPPING */
	struct bufferevent *pipe;
	struct loop_timer *timer; /* of the state */
	struct loop_turn *turn;   /* frames that were read before a pause ended */
	struct backoff backoff;
	int64_t up_since_ms;
	bool is_paused;
	int fat_beats;
	int64_t rss_bytes; /* as of its last heartbeat; the next too */
	int64_t heap_bytes;
	struct metric *starts;
};

static void start(struct baileys_worker *worker);

static void set_state(struct baileys_worker *worker, enum worker_state state)
{
	switch (state) {
	case WORKER_NONE:
		WRONG("it is wanted once and for all");
	case WORKER_STARTING:
		ASSERT(worker->state == WORKER_NONE || worker->state == WORKER_WAITING);
		break;
	case WORKER_UP:
		ASSERT(worker->state == WORKER_STARTING);
		break;
	case WORKER_STOPPING:
		ASSERT(worker->state == WORKER_STARTING || worker->state == WORKER_UP);
		break;
	case WORKER_WAITING:
		ASSERT(worker->state == WORKER_STARTING || worker->state == WORKER_STOPPING);
		break;
	}
	worker->state = state;
}

/* --- the end --- */

static void wait_to_start(struct baileys_worker *worker)
{
	set_state(worker, WORKER_WAITING);
	loop_timer_arm(worker->timer, backoff_fail_ms(&worker->backoff));
}

static void reap(struct baileys_worker *worker)
{
	int status = 0;
	pid_t reaped = waitpid(worker->pid, &status, WNOHANG);
	if (reaped == 0) {
		loop_timer_arm(worker->timer, REAP_MS);
		return;
	}
	log_info("worker_ended", log_int("pid", worker->pid),
		log_int("exit", WIFEXITED(status) ? WEXITSTATUS(status) : -1),
		log_int("signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0));
	worker->pid = 0;
	wait_to_start(worker);
}

static void end(struct baileys_worker *worker, const char *why)
{
	bool was_up = worker->state == WORKER_UP;
	if (!was_up && worker->state != WORKER_STARTING)
		return;
	if (was_up && clock_mono_ms() - worker->up_since_ms > STEADY_MS)
		backoff_succeed(&worker->backoff);
	log_warn("worker_lost", log_int("pid", worker->pid), log_text("why", why));
	set_state(worker, WORKER_STOPPING);
	bufferevent_free(worker->pipe);
	worker->pipe = NULL;
	worker->rss_bytes = 0;
	worker->heap_bytes = 0;
	(void)kill(worker->pid, SIGKILL);
	loop_timer_arm(worker->timer, 0);
	if (was_up)
		worker->events->on_down(worker->ctx);
}

void baileys_worker_refuse(struct baileys_worker *worker, const char *why)
{
	end(worker, why);
}

/* --- frames --- */

static bool is_on(const struct baileys_worker *worker, enum setting_id id)
{
	return strcmp(setting_text(worker->settings, id), "off") != 0;
}

static void say_hello(struct baileys_worker *worker)
{
	struct strbuf out = STRBUF_INIT;
	struct baileys_writer writer;
	const char *url = setting_text(worker->settings, SETTING_WHATSAPP_WS_URL);
	const char *root_key = setting_text(worker->settings, SETTING_WHATSAPP_ROOT_KEY);
	baileys_write_begin(&writer, &out, "hello", 7);
	baileys_write_int(&writer, BAILEYS_VERSION);
	baileys_write_text(&writer, url[0] != '\0' ? sv_from(url) : SV_NULL);
	baileys_write_text(&writer, root_key[0] != '\0' ? sv_from(root_key) : SV_NULL);
	baileys_write_int(&writer, HEARTBEAT_MS);
	baileys_write_int(&writer, setting_int(worker->settings, SETTING_MEDIA_MAX_BYTES));
	baileys_write_int(&writer, is_on(worker, SETTING_WHATSAPP_READ_MARKS));
	baileys_write_int(&writer, is_on(worker, SETTING_WHATSAPP_TYPING));
	baileys_write_end(&writer);
	(void)bufferevent_write(worker->pipe, out.data, out.len);
	strbuf_deinit(&out);
}

static void on_ready(struct baileys_worker *worker, const struct baileys_frame *frame)
{
	if (worker->state != WORKER_STARTING ||
		frame->fields[READY_VERSION].number != BAILEYS_VERSION) {
		end(worker, "it is ready in an unexpected way");
		return;
	}
	set_state(worker, WORKER_UP);
	worker->up_since_ms = clock_mono_ms();
	worker->fat_beats = 0;
	log_info("worker_up", log_int("pid", worker->pid),
		log_sv("node", frame->fields[READY_NODE].text),
		log_sv("baileys", frame->fields[READY_BAILEYS].text));
	worker->events->on_up(worker->ctx);
}

static void on_heartbeat(struct baileys_worker *worker, const struct baileys_frame *frame)
{
	worker->rss_bytes = frame->fields[HEARTBEAT_RSS].number;
	worker->heap_bytes = frame->fields[HEARTBEAT_HEAP].number;
	bool is_fat =
		worker->rss_bytes / MIB > setting_int(worker->settings, SETTING_WORKER_MEMORY);
	worker->fat_beats = is_fat ? worker->fat_beats + 1 : 0;
	if (worker->fat_beats >= FAT_BEATS)
		end(worker, "it uses too much memory");
}

/* Of a word that the worker says: nothing that could hold anybody's data. */
static bool is_word(struct strview text)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_')
			return false;
	}
	return text.len > 0 && text.len <= 64;
}

static void on_fatal(struct baileys_worker *worker, const struct baileys_frame *frame)
{
	struct strview code = frame->fields[FATAL_CODE].text;
	log_error("worker_fatal", log_sv("code", is_word(code) ? code : SV_LIT("unnamed")));
	end(worker, "it gave up");
}

static void take_frame(struct baileys_worker *worker, const struct baileys_frame *frame)
{
	if (frame->kind == BAILEYS_READY)
		on_ready(worker, frame);
	else if (frame->kind == BAILEYS_HEARTBEAT)
		on_heartbeat(worker, frame);
	else if (frame->kind == BAILEYS_FATAL)
		on_fatal(worker, frame);
	else if (worker->state == WORKER_UP)
		worker->events->on_frame(worker->ctx, frame);
	else
		end(worker, "it speaks before it is ready");
}

/* False: there is no whole frame, or the worker was ended. */
static bool take_one(struct baileys_worker *worker)
{
	struct evbuffer *input = bufferevent_get_input(worker->pipe);
	uint8_t head[BAILEYS_FRAME_HEAD];
	struct err err;
	if (evbuffer_copyout(input, head, sizeof(head)) != (ev_ssize_t)sizeof(head))
		return false;
	int64_t size = baileys_frame_size(head, &err);
	if (size < 0) {
		end(worker, err.text);
		return false;
	}
	size_t whole = (size_t)size + BAILEYS_FRAME_HEAD;
	if (evbuffer_get_length(input) < whole)
		return false;
	const unsigned char *bytes = evbuffer_pullup(input, (ev_ssize_t)whole);
	struct pool *pool = pool_new();
	struct baileys_frame frame;
	if (baileys_frame_parse(
		    sv_make(bytes + BAILEYS_FRAME_HEAD, (size_t)size), pool, &frame, &err) < 0)
		end(worker, err.text);
	else
		take_frame(worker, &frame);
	pool_free(&pool);
	if (worker->pipe == NULL)
		return false;
	(void)evbuffer_drain(input, whole);
	return true;
}

static void take_frames(struct baileys_worker *worker)
{
	while (worker->pipe != NULL && !worker->is_paused && take_one(worker)) {
	}
}

static void on_readable(UNUSED struct bufferevent *pipe, void *ctx)
{
	struct baileys_worker *worker = ctx;
	if (worker->state == WORKER_UP) /* it is alive: any frame says so */
		loop_timer_arm(worker->timer, SILENCE_MS);
	take_frames(worker);
}

static void on_turn(void *ctx)
{
	take_frames(ctx);
}

static void on_pipe_event(UNUSED struct bufferevent *pipe, UNUSED short what, void *ctx)
{
	end(ctx, "its end of the socket was closed");
}

void baileys_worker_pause(struct baileys_worker *worker, bool is_paused)
{
	if (worker->is_paused == is_paused)
		return;
	worker->is_paused = is_paused;
	if (!is_paused)
		loop_turn_request(worker->turn);
}

void baileys_worker_send(struct baileys_worker *worker, struct strview frames)
{
	ASSERT(worker->state == WORKER_UP);
	(void)bufferevent_write(worker->pipe, frames.ptr, frames.len);
}

size_t baileys_worker_unsent_bytes(const struct baileys_worker *worker)
{
	if (worker->pipe == NULL)
		return 0;
	return evbuffer_get_length(bufferevent_get_output(worker->pipe));
}

/* --- the beginning --- */

static void start(struct baileys_worker *worker)
{
	struct baileys_program program = {
		.node = setting_text(worker->settings, SETTING_NODE),
		.folder = setting_text(worker->settings, SETTING_BAILEYS_DIR),
		.ca_file = setting_text(worker->settings, SETTING_WHATSAPP_CA_FILE),
		.memory_mb = (int)setting_int(worker->settings, SETTING_WORKER_MEMORY),
	};
	struct err err;
	int fd;
	set_state(worker, WORKER_STARTING);
	if (baileys_spawn(&program, &worker->pid, &fd, &err) < 0) {
		log_error("worker_not_started", log_err(&err));
		wait_to_start(worker);
		return;
	}
	metric_add(worker->starts, 1);
	worker->is_paused = false;
	worker->pipe = bufferevent_socket_new(loop_base(worker->loop), fd, BEV_OPT_CLOSE_ON_FREE);
	if (worker->pipe == NULL)
		abort();
	bufferevent_setcb(worker->pipe, on_readable, NULL, on_pipe_event, worker);
	bufferevent_setwatermark(worker->pipe, EV_READ, 0, READ_HIGH_BYTES);
	(void)bufferevent_enable(worker->pipe, EV_READ | EV_WRITE);
	loop_timer_arm(worker->timer, READY_MS);
	say_hello(worker);
}

static void on_timer(void *ctx)
{
	struct baileys_worker *worker = ctx;
	switch (worker->state) {
	case WORKER_NONE:
		break;
	case WORKER_STARTING:
		end(worker, "it did not get ready in time");
		break;
	case WORKER_UP:
		if (worker->is_paused)
			loop_timer_arm(worker->timer, SILENCE_MS); /* we do not listen */
		else
			end(worker, "it says nothing any more");
		break;
	case WORKER_STOPPING:
		reap(worker);
		break;
	case WORKER_WAITING:
		start(worker);
		break;
	}
}

static double count_rss(void *ctx)
{
	const struct baileys_worker *worker = ctx;
	return (double)worker->rss_bytes;
}

static double count_heap(void *ctx)
{
	const struct baileys_worker *worker = ctx;
	return (double)worker->heap_bytes;
}

struct baileys_worker *baileys_worker_new(struct loop *loop, const struct settings *settings,
	struct metrics *metrics, const struct baileys_worker_events *events, void *ctx)
{
	struct baileys_worker *worker = mem_new(struct baileys_worker);
	worker->loop = loop;
	worker->settings = settings;
	worker->events = events;
	worker->ctx = ctx;
	worker->state = WORKER_NONE;
	worker->timer = loop_timer_new(loop, "baileys_worker", on_timer, worker);
	worker->turn = loop_turn_new(loop, "baileys_worker", on_turn, worker);
	backoff_init(&worker->backoff, BACKOFF_BASE_MS, BACKOFF_MAX_MS);
	worker->starts = metrics_counter(
		metrics, "wa_gateway_worker_starts_total", "", "Starts of the WhatsApp worker");
	metrics_gauge_fn(metrics, "wa_gateway_worker_rss_bytes", "",
		"Memory of the WhatsApp worker", count_rss, worker);
	metrics_gauge_fn(metrics, "wa_gateway_worker_heap_bytes", "",
		"JavaScript heap in use in the WhatsApp worker", count_heap, worker);
	return worker;
}

void baileys_worker_free(struct baileys_worker **worker_at)
{
	struct baileys_worker *worker = *worker_at;
	if (worker == NULL)
		return;
	if (worker->pipe != NULL)
		bufferevent_free(worker->pipe);
	if (worker->pid > 0) {
		(void)kill(worker->pid, SIGKILL);
		(void)waitpid(worker->pid, NULL, 0); /* killed: at once */
	}
	loop_timer_free(&worker->timer);
	loop_turn_free(&worker->turn);
	mem_free(worker);
	*worker_at = NULL;
}

void baileys_worker_want(struct baileys_worker *worker)
{
	if (worker->state == WORKER_NONE)
		start(worker);
}

bool baileys_worker_is_up(const struct baileys_worker *worker)
{
	return worker->state == WORKER_UP;
}
