/* A question, a query, an answer. What cannot be answered breaks the line: its worker must not go
 * on with keys of which nobody knows whether they are kept. */
#include "common/base/check.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "services/gateway/baileys.h"
#include "services/gateway/baileys_store.h"
#include "services/gateway/media_keep.h"

/* Of the 256 that a connection takes. */
#define ASKS_PAUSE  192
#define ASKS_RESUME 96

#define MEDIA_PART_MAX   262144
#define MEDIA_OFFSET_MAX 1073741824

struct baileys_ask {
	TAILQ_ENTRY(baileys_ask) link;
	struct baileys_line *line;
	struct pool *pool; /* of what is asked for */
	int64_t request;
	struct strview *names; /* of KEYS_READ */
	int n_names;
	/* Of MEDIA_READ, when the file lies in the object store. */
	int64_t offset;
	int64_t size;
	int64_t total;
	struct strview content_type;
	struct object_call *get;
};

static struct baileys_ask *ask_new(struct baileys_line *line, const struct baileys_frame *frame)
{
	struct baileys *baileys = line->baileys;
	struct pool *pool = pool_new();
	struct baileys_ask *ask = pool_new_in(pool, struct baileys_ask);
	ask->pool = pool;
	ask->line = line;
	ask->request = frame->fields[BAILEYS_REQUEST].number;
	TAILQ_INSERT_TAIL(&line->asks, ask, link);
	if (++baileys->n_asks >= ASKS_PAUSE)
		baileys_worker_pause(baileys->worker, true);
	return ask;
}

static void ask_free(struct baileys_ask *ask)
{
	struct baileys *baileys = ask->line->baileys;
	struct pool *pool = ask->pool;
	object_call_cancel(&ask->get);
	TAILQ_REMOVE(&ask->line->asks, ask, link);
	if (--baileys->n_asks <= ASKS_RESUME)
		baileys_worker_pause(baileys->worker, false);
	pool_free(&pool);
}

void baileys_answers_forget(struct baileys_line *line)
{
	struct baileys_ask *ask;
	while ((ask = TAILQ_FIRST(&line->asks)) != NULL) {
		pg_conn_forget(line->baileys->conn, ask);
		pg_conn_forget(line->baileys->media_conn, ask);
		ask_free(ask);
	}
}

/* False: it broke the line, and the ask is gone. */
static bool is_answered(struct baileys_ask *ask, const struct pg_result *result)
{
	if (pg_status(result) == PG_OK)
		return true;
	baileys_line_break(ask->line, pg_is_retryable(result)
					      ? "Postgres is away"
					      : "Postgres refuses what its worker asks for");
	return false;
}

static void begin(struct baileys_writer *writer, struct strbuf *out, const char *kind, int n,
	const struct baileys_ask *ask)
{
	baileys_write_begin(writer, out, kind, n);
	baileys_write_int(writer, ask->line->number);
	baileys_write_int(writer, ask->request);
}

static void finish(struct baileys_writer *writer, struct strbuf *out, struct baileys_ask *ask)
{
	baileys_write_end(writer);
	baileys_post(ask->line->baileys, out);
	ask_free(ask);
}

/* Answers that are a yes or no. */
static void answer_bool(struct baileys_ask *ask, const char *kind, bool yes)
{
	struct strbuf out = STRBUF_INIT;
	struct baileys_writer writer;
	begin(&writer, &out, kind, 3, ask);
	baileys_write_int(&writer, yes);
	finish(&writer, &out, ask);
}

/* --- keys --- */

static int open_row(
	struct baileys_ask *ask, const struct pg_result *result, int row, struct strview *ret_plain)
{
	const struct baileys_line *line = ask->line;
	struct strbuf plain = STRBUF_INIT;
	struct err err;
	int status = baileys_store_open(line->baileys->box, line->session_id,
		pg_text(result, row, 0), pg_bytes(result, row, 1), &plain, &err);
	if (status == 0)
		*ret_plain = pool_sv(ask->pool, strbuf_view(&plain));
	if (plain.data != NULL)
		mem_wipe(plain.data, plain.len);
	strbuf_deinit(&plain);
	return status;
}

static int find_name(const struct baileys_ask *ask, struct strview name)
{
	for (int i = 0; i < ask->n_names; i++) {
		if (sv_eq(ask->names[i], name))
			return i;
	}
	WRONG("only what was asked for is read");
}

static void on_read(void *ctx, const struct pg_result *result)
{
	struct baileys_ask *ask = ctx;
	if (!is_answered(ask, result))
		return;
	struct strview *values = pool_array(ask->pool, (size_t)ask->n_names, sizeof(*values));
	size_t total = 0;
	for (int row = 0; row < pg_rows(result); row++) {
		struct strview *value = &values[find_name(ask, pg_text(result, row, 0))];
		if (open_row(ask, result, row, value) < 0) {
			baileys_line_break(
				ask->line, "a key was sealed with another WA_MASTER_KEY");
			return;
		}
		total += value->len;
	}
	if (total > BAILEYS_FRAME_MAX / 2) {
		baileys_line_break(ask->line, "its keys are too large");
		return;
	}
	struct strbuf out = STRBUF_INIT;
	struct baileys_writer writer;
	begin(&writer, &out, "keys", 3, ask);
	baileys_write_array(&writer, values, ask->n_names);
	finish(&writer, &out, ask);
}

static void read_keys(struct baileys_line *line, const struct baileys_frame *frame)
{
	struct baileys_ask *ask = ask_new(line, frame);
	ask->n_names = frame->n_names;
	ask->names = pool_array(ask->pool, (size_t)frame->n_names, sizeof(*ask->names));
	for (int i = 0; i < frame->n_names; i++)
		ask->names[i] = pool_sv(ask->pool, frame->names[i]);
	baileys_store_read(
		line->baileys->conn, line->session_id, ask->names, ask->n_names, on_read, ask);
}

static void on_committed(void *ctx, const struct pg_result *result)
{
	struct baileys_ask *ask = ctx;
	if (!is_answered(ask, result))
		return;
	if (pg_bool(result, 0, 0))
		answer_bool(ask, "committed", true);
	else
		baileys_line_break(ask->line, "another gateway has it");
}

static void commit_keys(struct baileys_line *line, const struct baileys_frame *frame)
{
	struct baileys_ask *ask = ask_new(line, frame);
	const struct baileys *baileys = line->baileys;
	struct strview creds = frame->fields[COMMIT_CREDS].text;
	struct engine_key *keys =
		pool_array(ask->pool, (size_t)frame->n_changes + 1, sizeof(*keys));
	int n = 0;
	if (!sv_is_null(creds)) {
		keys[n].name = SV_LIT(BAILEYS_CREDS);
		keys[n++].sealed = baileys_store_seal(
			baileys->box, ask->pool, line->session_id, SV_LIT(BAILEYS_CREDS), creds);
	}
	for (int i = 0; i < frame->n_changes; i++) {
		const struct baileys_change *change = &frame->changes[i];
		keys[n].name = change->name;
		keys[n++].sealed = sv_is_null(change->value)
					   ? SV_NULL
					   : baileys_store_seal(baileys->box, ask->pool,
						     line->session_id, change->name, change->value);
	}
	baileys_store_commit(
		baileys->conn, line->session_id, line->epoch, keys, n, on_committed, ask);
}

/* --- messages --- */

static void on_known(void *ctx, const struct pg_result *result)
{
	struct baileys_ask *ask = ctx;
	if (is_answered(ask, result))
		answer_bool(ask, "known", pg_bool(result, 0, 0));
}

static void on_sent(void *ctx, const struct pg_result *result)
{
	struct baileys_ask *ask = ctx;
	if (!is_answered(ask, result))
		return;
	struct strbuf out = STRBUF_INIT;
	struct baileys_writer writer;
	struct baileys_sent sent = {.phone = SV_NULL};
	struct strview type = SV_NULL;
	bool is_found = pg_rows(result) > 0;
	if (is_found) {
		baileys_store_sent_row(result, &sent);
		type = sv_from(message_type_name(sent.type));
		if (sent.phone.len > 0 && sent.phone.ptr[0] == '+')
			sent.phone = sv_make(sent.phone.ptr + 1, sent.phone.len - 1);
	}
	begin(&writer, &out, "message", 9, ask);
	baileys_write_int(&writer, is_found);
	baileys_write_text(&writer, sent.phone);
	baileys_write_text(&writer, type);
	baileys_write_text(&writer, sent.body);
	baileys_write_text(&writer, sent.caption);
	baileys_write_text(&writer, sent.filename);
	baileys_write_text(&writer, sent.media_sha256);
	finish(&writer, &out, ask);
}

/* --- media --- */

static void tell_media(struct baileys_ask *ask, struct strview bytes)
{
	struct strbuf out = STRBUF_INIT;
	struct baileys_writer writer;
	begin(&writer, &out, "media", 5, ask);
	baileys_write_int(&writer, ask->total);
	baileys_write_text(&writer, ask->content_type);
	baileys_write_bytes(&writer, bytes);
	finish(&writer, &out, ask);
}

/* Without it the message is not sent now, but tried again. */
static void on_object(void *ctx, const struct object_answer *answer)
{
	struct baileys_ask *ask = ctx;
	ask->get = NULL;
	if (answer->end != OBJECT_DONE)
		log_warn("media_get_failed", log_int("session", ask->line->session_id),
			log_err(&answer->err));
	tell_media(ask, answer->end == OBJECT_DONE ? answer->bytes : SV_NULL);
}

static void on_media(void *ctx, const struct pg_result *result)
{
	struct baileys_ask *ask = ctx;
	if (!is_answered(ask, result))
		return;
	struct object_store *objects = media_keeper_objects(ask->line->baileys->keeper);
	bool is_there = pg_rows(result) > 0;
	bool is_object = is_there && !pg_is_null(result, 0, 3);
	ask->total = is_there ? pg_int(result, 0, 0) : 0;
	ask->content_type = is_there ? pool_sv(ask->pool, pg_text(result, 0, 1)) : SV_NULL;
	if (is_object && objects != NULL) {
		const char *name = pool_sv_cstr(ask->pool, pg_text(result, 0, 3));
		ask->get = object_get_part(objects, name, ask->offset, ask->size, on_object, ask);
		return;
	}
	if (is_object)
		log_error("media_store_unnamed", log_int("session", ask->line->session_id));
	tell_media(ask, is_there && !is_object ? pg_bytes(result, 0, 2) : SV_NULL);
}

static void read_media(struct baileys_line *line, const struct baileys_frame *frame)
{
	int64_t offset = frame->fields[MEDIA_READ_OFFSET].number;
	int64_t size = frame->fields[MEDIA_READ_SIZE].number;
	if (offset < 0 || offset > MEDIA_OFFSET_MAX || size < 1 || size > MEDIA_PART_MAX) {
		baileys_worker_refuse(line->baileys->worker, "a part of media that is none");
		return;
	}
	struct baileys_ask *ask = ask_new(line, frame);
	ask->offset = offset;
	ask->size = size;
	baileys_store_media(line->baileys->media_conn, frame->fields[MEDIA_READ_SHA256].text,
		offset, size, on_media, ask);
}

static void wipe_keys(struct baileys_line *line, const struct baileys_frame *frame)
{
	baileys_store_wipe(line->baileys->conn, line->session_id, line->epoch, on_committed,
		ask_new(line, frame));
}

static void is_known(struct baileys_line *line, const struct baileys_frame *frame)
{
	baileys_store_is_known(line->baileys->conn, line->session_id,
		frame->fields[KNOWN_WA_ID].text, on_known, ask_new(line, frame));
}

static void get_message(struct baileys_line *line, const struct baileys_frame *frame)
{
	baileys_store_sent(line->baileys->conn, line->session_id, frame->fields[MESSAGE_WA_ID].text,
		on_sent, ask_new(line, frame));
}

void baileys_answer(struct baileys_line *line, const struct baileys_frame *frame)
{
	static void (*const askers[])(struct baileys_line *, const struct baileys_frame *) = {
		[BAILEYS_KEYS_READ] = read_keys,
		[BAILEYS_KEYS_COMMIT] = commit_keys,
		[BAILEYS_WIPE] = wipe_keys,
		[BAILEYS_IS_KNOWN] = is_known,
		[BAILEYS_GET_MESSAGE] = get_message,
		[BAILEYS_MEDIA_READ] = read_media,
	};
	ASSERT(frame->kind < array_len(askers) && askers[frame->kind] != NULL);
	askers[frame->kind](line, frame);
}
