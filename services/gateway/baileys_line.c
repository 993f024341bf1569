/* One opening of a session: frames to events and back. */
#include <stdio.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/model/phone.h"
#include "services/gateway/baileys.h"
#include "services/gateway/baileys_store.h"

#define CODE_VALID_MAX_MS 600000
/* A token of ours is the worker's with the line's number before it: one that comes back late, for
 * an earlier opening of the session, is not taken for another. */
#define TOKEN_BITS  40
#define HELD_MAX_MS 86400000

static void line_set_state(struct baileys_line *line, enum baileys_line_state state)
{
	switch (state) {
	case BAILEYS_LINE_WAITING:
		WRONG("a line is opened once");
	case BAILEYS_LINE_OPEN:
		ASSERT(line->state == BAILEYS_LINE_WAITING);
		break;
	case BAILEYS_LINE_BROKEN:
		ASSERT(line->state != BAILEYS_LINE_BROKEN);
		break;
	}
	line->state = state;
}

/* --- opening and closing --- */

struct baileys_line *baileys_line_new(struct baileys *baileys, const struct engine_session *session,
	const struct engine_events *events, void *ctx)
{
	struct baileys_line *line = mem_new(struct baileys_line);
	line->baileys = baileys;
	line->number = ++baileys->last_number;
	line->session_id = session->session_id;
	line->epoch = session->epoch;
	line->events = events;
	line->ctx = ctx;
	line->state = BAILEYS_LINE_WAITING;
	line->reported = SESSION_STARTING;
	TAILQ_INIT(&line->asks);
	return line;
}

static void post_close(struct baileys_line *line, const char *why)
{
	struct strbuf out = STRBUF_INIT;
	struct baileys_writer writer;
	baileys_write_begin(&writer, &out, "close", 2);
	baileys_write_int(&writer, line->number);
	baileys_write_text(&writer, sv_from(why));
	baileys_write_end(&writer);
	baileys_post(line->baileys, &out);
}

void baileys_line_free(struct baileys_line **line_at, enum engine_close why)
{
	struct baileys_line *line = *line_at;
	if (line->state == BAILEYS_LINE_OPEN)
		post_close(line, why == ENGINE_CLOSE_DELETED ? "deleted" : "released");
	if (line->baileys->conn != NULL)
		pg_conn_forget(line->baileys->conn, line);
	baileys_answers_forget(line);
	baileys_uploads_forget(line->baileys->uploads, line);
	mem_free(line);
	*line_at = NULL;
}

void baileys_line_break(struct baileys_line *line, const char *reason)
{
	if (line->state == BAILEYS_LINE_BROKEN)
		return;
	if (line->state == BAILEYS_LINE_OPEN)
		post_close(line, "released");
	line_set_state(line, BAILEYS_LINE_BROKEN);
	baileys_answers_forget(line);
	baileys_uploads_forget(line->baileys->uploads, line);
	line->events->on_broken(line->ctx, reason);
}

/* It cannot work here, and trying again does not help. */
static void fail(struct baileys_line *line, const char *reason)
{
	line_set_state(line, BAILEYS_LINE_BROKEN);
	line->reported = SESSION_FAILED;
	line->events->on_state(line->ctx, SESSION_FAILED, reason, NULL);
}

static void post_open(struct baileys_line *line, struct strview creds)
{
	struct strbuf out = STRBUF_INIT;
	struct baileys_writer writer;
	baileys_write_begin(&writer, &out, "open", 3);
	baileys_write_int(&writer, line->number);
	baileys_write_int(&writer, line->session_id);
	baileys_write_bytes(&writer, creds);
	baileys_write_end(&writer);
	line_set_state(line, BAILEYS_LINE_OPEN);
	baileys_post(line->baileys, &out);
}

static void on_creds(void *ctx, const struct pg_result *result)
{
	struct baileys_line *line = ctx;
	struct baileys *baileys = line->baileys;
	line->is_loading = false;
	if (line->state != BAILEYS_LINE_WAITING)
		return;
	if (pg_status(result) != PG_OK) {
		baileys_line_break(line, "its credentials cannot be read now");
		return;
	}
	if (!baileys_worker_is_up(baileys->worker))
		return; /* on_up() begins again */
	if (pg_rows(result) == 0) {
		post_open(line, SV_NULL);
		return;
	}
	struct strbuf creds = STRBUF_INIT;
	struct err err;
	if (baileys_store_open(baileys->box, line->session_id, SV_LIT(BAILEYS_CREDS),
		    pg_bytes(result, 0, 1), &creds, &err) < 0)
		fail(line, "its credentials were sealed with another WA_MASTER_KEY");
	else
		post_open(line, strbuf_view(&creds));
	mem_wipe(creds.data, creds.len);
	strbuf_deinit(&creds);
}

static const char *what_is_missing(const struct baileys *baileys)
{
	if (setting_text(baileys->settings, SETTING_BAILEYS_DIR)[0] == '\0')
		return "this gateway has no WhatsApp worker: WA_BAILEYS_DIR is not set";
	return baileys->box == NULL ? "WA_MASTER_KEY is needed to keep its keys" : NULL;
}

void baileys_line_worker_up(struct baileys_line *line)
{
	struct strview name = SV_LIT(BAILEYS_CREDS);
	struct baileys *baileys = line->baileys;
	const char *missing = what_is_missing(baileys);
	if (missing != NULL) {
		fail(line, missing);
		return;
	}
	baileys_worker_want(baileys->worker);
	if (line->is_loading || !baileys_worker_is_up(baileys->worker))
		return;
	line->is_loading = true;
	baileys_store_read(baileys->conn, line->session_id, &name, 1, on_creds, line);
}

/* --- from the worker --- */

static void refuse(struct baileys_line *line, const char *why)
{
	baileys_worker_refuse(line->baileys->worker, why);
}

/* "+digits"; false when the digits are no phone number. */
static bool to_phone(struct strview digits, char ret_phone[PHONE_SIZE])
{
	if (digits.len + 2 > PHONE_SIZE)
		return false;
	(void)snprintf(ret_phone, PHONE_SIZE, "+%.*s", SV_ARG(digits));
	return phone_is(sv_from(ret_phone));
}

static void take_state(struct baileys_line *line, const struct baileys_frame *frame)
{
	enum session_state state;
	char reason[128];
	char phone[PHONE_SIZE];
	if (session_state_parse(frame->fields[STATE_STATE].text, &state) < 0) {
		refuse(line, "a state that is none");
		return;
	}
	(void)snprintf(reason, sizeof(reason), "%.*s", SV_ARG(frame->fields[STATE_REASON].text));
	bool has_phone = !sv_is_null(frame->fields[STATE_PHONE].text) &&
			 to_phone(frame->fields[STATE_PHONE].text, phone);
	line->reported = state;
	line->events->on_state(
		line->ctx, state, reason[0] != '\0' ? reason : NULL, has_phone ? phone : NULL);
}

static void take_code(struct baileys_line *line, const struct baileys_frame *frame)
{
	bool is_scan = sv_eq_cstr(frame->fields[CODE_KIND].text, "qr");
	int64_t valid_ms = frame->fields[CODE_VALID_MS].number;
	if ((!is_scan && !sv_eq_cstr(frame->fields[CODE_KIND].text, "pairing")) || valid_ms < 0 ||
		valid_ms > CODE_VALID_MAX_MS) {
		refuse(line, "a code that is none");
		return;
	}
	struct engine_code code = {
		.kind = is_scan ? ENGINE_CODE_SCAN : ENGINE_CODE_TYPE,
		.text = frame->fields[CODE_TEXT].text,
		.phone = is_scan ? SV_NULL : sv_from(line->pairing_phone),
		.until_ms = clock_wall_ms() + valid_ms,
	};
	line->events->on_code(line->ctx, &code);
}

static bool kind_parse(
	struct strview text, enum engine_inbound_kind *ret_kind, enum message_type *ret_type)
{
	static const struct {
		const char *name;
		enum engine_inbound_kind kind;
		enum message_type type;
	} kinds[] = {
		{"text", ENGINE_INBOUND_MESSAGE, MESSAGE_TEXT},
		{"image", ENGINE_INBOUND_MESSAGE, MESSAGE_IMAGE},
		{"document", ENGINE_INBOUND_MESSAGE, MESSAGE_DOCUMENT},
		{"audio", ENGINE_INBOUND_MESSAGE, MESSAGE_AUDIO},
		{"video", ENGINE_INBOUND_MESSAGE, MESSAGE_VIDEO},
		{"location", ENGINE_INBOUND_MESSAGE, MESSAGE_LOCATION},
		{"contacts", ENGINE_INBOUND_MESSAGE, MESSAGE_CONTACTS},
		{"other", ENGINE_INBOUND_MESSAGE, MESSAGE_OTHER},
		{"reaction", ENGINE_INBOUND_REACTION, MESSAGE_OTHER},
		{"edit", ENGINE_INBOUND_EDIT, MESSAGE_OTHER},
		{"delete", ENGINE_INBOUND_DELETE, MESSAGE_OTHER},
		{"none", ENGINE_INBOUND_NOTHING, MESSAGE_OTHER},
	};
	for (size_t i = 0; i < array_len(kinds); i++) {
		if (sv_eq_cstr(text, kinds[i].name)) {
			*ret_kind = kinds[i].kind;
			*ret_type = kinds[i].type;
			return true;
		}
	}
	return false;
}

static struct engine_key *seal_changes(
	struct baileys_line *line, struct pool *pool, const struct baileys_frame *frame)
{
	struct engine_key *keys = pool_array(pool, (size_t)frame->n_changes, sizeof(*keys));
	for (int i = 0; i < frame->n_changes; i++) {
		const struct baileys_change *change = &frame->changes[i];
		keys[i].name = change->name;
		keys[i].sealed = sv_is_null(change->value)
					 ? SV_NULL
					 : baileys_store_seal(line->baileys->box, pool,
						   line->session_id, change->name, change->value);
	}
	return keys;
}

static bool has_target(enum engine_inbound_kind kind)
{
	return kind == ENGINE_INBOUND_REACTION || kind == ENGINE_INBOUND_EDIT ||
	       kind == ENGINE_INBOUND_DELETE;
}

static bool take_token(
	struct baileys_line *line, const struct baileys_frame *frame, int64_t *ret_token)
{
	int64_t token = frame->fields[BAILEYS_REQUEST].number;
	if (token < 0 || token >= (int64_t)1 << TOKEN_BITS) {
		refuse(line, "a token that is none");
		return false;
	}
	*ret_token = line->number << TOKEN_BITS | token;
	return true;
}

static void take_inbound(struct baileys_line *line, const struct baileys_frame *frame)
{
	const struct baileys_field *fields = frame->fields;
	char phone[PHONE_SIZE] = "";
	struct engine_inbound inbound = {
		.is_from_me = fields[INBOUND_FROM_ME].number != 0,
		.wa_message_id = fields[INBOUND_WA_ID].text,
		.body = fields[INBOUND_BODY].text,
		.filename = fields[INBOUND_FILENAME].text,
		.media_url = SV_NULL,
		.media_sha256 = fields[INBOUND_MEDIA].text,
		.target_wa_id = fields[INBOUND_TARGET].text,
		.reply_to = fields[INBOUND_QUOTED].text,
		.detail = fields[INBOUND_DETAIL].text,
		.at_ms = fields[INBOUND_AT_MS].number,
		.n_keys = frame->n_changes,
	};
	if (!take_token(line, frame, &inbound.token))
		return;
	bool is_kind = kind_parse(fields[INBOUND_KIND].text, &inbound.kind, &inbound.type);
	if (!is_kind || has_target(inbound.kind) != !sv_is_null(inbound.target_wa_id) ||
		(inbound.kind != ENGINE_INBOUND_NOTHING &&
			!to_phone(fields[INBOUND_PHONE].text, phone))) {
		refuse(line, "an incoming message that is none");
		return;
	}
	inbound.phone = sv_from(phone);
	struct pool *pool = pool_new();
	inbound.keys = seal_changes(line, pool, frame);
	line->events->on_inbound(line->ctx, &inbound);
	pool_free(&pool);
}

static void take_receipt(struct baileys_line *line, const struct baileys_frame *frame)
{
	bool is_read = sv_eq_cstr(frame->fields[RECEIPT_LEVEL].text, "read");
	if (!is_read && !sv_eq_cstr(frame->fields[RECEIPT_LEVEL].text, "delivered")) {
		refuse(line, "a receipt that is none");
		return;
	}
	struct engine_receipt receipt = {
		.wa_message_id = frame->fields[RECEIPT_WA_ID].text,
		.level = is_read ? ENGINE_RECEIPT_READ : ENGINE_RECEIPT_DELIVERED,
		.at_ms = frame->fields[RECEIPT_AT_MS].number,
	};
	if (take_token(line, frame, &receipt.token))
		line->events->on_receipt(line->ctx, &receipt);
}

static bool verdict_parse(struct strview text, enum verdict *ret_verdict)
{
	if (sv_eq_cstr(text, "retry"))
		*ret_verdict = VERDICT_RETRY;
	else if (sv_eq_cstr(text, "give_up"))
		*ret_verdict = VERDICT_GIVE_UP;
	else if (sv_eq_cstr(text, "unknown"))
		*ret_verdict = VERDICT_UNKNOWN;
	else
		return false;
	return true;
}

static void take_failed(struct baileys_line *line, const struct baileys_frame *frame)
{
	const struct baileys_field *fields = frame->fields;
	enum verdict verdict;
	struct pool *pool = pool_new();
	const char *code = pool_sv_cstr(pool, fields[FAILED_CODE].text);
	const char *text = pool_sv_cstr(pool, fields[FAILED_TEXT].text);
	int64_t later_ms = fields[FAILED_LATER_MS].number;
	if (sv_eq_cstr(fields[FAILED_VERDICT].text, "later") && later_ms > 0 &&
		later_ms <= HELD_MAX_MS)
		line->events->on_held(line->ctx, fields[FAILED_WA_ID].text, code, text, later_ms);
	else if (verdict_parse(fields[FAILED_VERDICT].text, &verdict))
		line->events->on_failed(line->ctx, fields[FAILED_WA_ID].text, verdict, code, text);
	else
		refuse(line, "a verdict that is none");
	pool_free(&pool);
}

static void take_acked(struct baileys_line *line, const struct baileys_frame *frame)
{
	line->events->on_acked(
		line->ctx, frame->fields[ACKED_WA_ID].text, frame->fields[ACKED_AT_MS].number);
}

static void take_media(struct baileys_line *line, const struct baileys_frame *frame)
{
	baileys_uploads_take(line->baileys->uploads, line, frame);
}

void baileys_line_take(struct baileys_line *line, const struct baileys_frame *frame)
{
	static void (*const takers[])(struct baileys_line *, const struct baileys_frame *) = {
		[BAILEYS_STATE] = take_state,
		[BAILEYS_CODE] = take_code,
		[BAILEYS_INBOUND] = take_inbound,
		[BAILEYS_RECEIPT] = take_receipt,
		[BAILEYS_ACKED] = take_acked,
		[BAILEYS_FAILED] = take_failed,
		[BAILEYS_KEYS_READ] = baileys_answer,
		[BAILEYS_KEYS_COMMIT] = baileys_answer,
		[BAILEYS_WIPE] = baileys_answer,
		[BAILEYS_IS_KNOWN] = baileys_answer,
		[BAILEYS_GET_MESSAGE] = baileys_answer,
		[BAILEYS_MEDIA_READ] = baileys_answer,
		[BAILEYS_MEDIA_WRITE] = take_media,
	};
	if (frame->kind < array_len(takers) && takers[frame->kind] != NULL)
		takers[frame->kind](line, frame);
	else /* CLOSED comes when the line is gone */
		refuse(line, "a frame at the wrong time");
}

/* --- to the worker --- */

void baileys_line_send(struct baileys_line *line, const struct engine_message *message)
{
	struct strbuf out = STRBUF_INIT;
	struct baileys_writer writer;
	struct strview phone = message->phone;
	if (phone.len > 0 && phone.ptr[0] == '+')
		phone = sv_make(phone.ptr + 1, phone.len - 1);
	baileys_write_begin(&writer, &out, "send", 9);
	baileys_write_int(&writer, line->number);
	baileys_write_text(&writer, message->wa_message_id);
	baileys_write_text(&writer, phone);
	baileys_write_text(&writer, sv_from(message_type_name(message->type)));
	baileys_write_text(&writer, message->body);
	baileys_write_text(&writer, message->caption);
	baileys_write_text(&writer, message->filename);
	baileys_write_text(&writer, message->media_sha256);
	baileys_write_int(&writer, message->attempt);
	baileys_write_end(&writer);
	baileys_post(line->baileys, &out);
}

void baileys_line_acknowledge(struct baileys_line *line, int64_t token)
{
	if (line->state != BAILEYS_LINE_OPEN || token >> TOKEN_BITS != line->number)
		return;
	struct strbuf out = STRBUF_INIT;
	struct baileys_writer writer;
	baileys_write_begin(&writer, &out, "acknowledge", 2);
	baileys_write_int(&writer, line->number);
	baileys_write_int(&writer, token & (((int64_t)1 << TOKEN_BITS) - 1));
	baileys_write_end(&writer);
	baileys_post(line->baileys, &out);
}

void baileys_line_pair(struct baileys_line *line, struct strview phone)
{
	if (line->state != BAILEYS_LINE_OPEN)
		return;
	struct strbuf out = STRBUF_INIT;
	struct baileys_writer writer;
	(void)snprintf(line->pairing_phone, sizeof(line->pairing_phone), "%.*s", SV_ARG(phone));
	baileys_write_begin(&writer, &out, "pair", 2);
	baileys_write_int(&writer, line->number);
	baileys_write_text(&writer, phone);
	baileys_write_end(&writer);
	baileys_post(line->baileys, &out);
}
