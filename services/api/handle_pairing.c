/* GET /sessions/{id}/qr and POST /sessions/{id}/pairing-code: what a person scans or types. The
 * gateway that owns the session is asked through its row in session_pairing, and waited for. */
#include <string.h>

#include "common/base/clock.h"
#include "common/model/phone.h"
#include "services/api/api_reply.h"
#include "services/api/api_store_sessions.h"
#include "services/api/body_reader.h"
#include "services/api/handlers.h"
#include "services/api/qr_image.h"

#define WAIT_MS 8000
#define LOOK_MS 200

struct pairing { /* one call; lies in its pool */
	struct api_call *call;
	int32_t session_id;
	bool is_code;           /* to be typed; else to be scanned */
	char phone[PHONE_SIZE]; /* of a code */
	bool has_asked;
	int64_t until_ms; /* monotonic */
	struct loop_timer *timer;
};

static void look(struct pairing *pairing);

static void on_timer(void *ctx)
{
	look(ctx);
}

static void free_timer(void *arg)
{
	struct pairing *pairing = arg;
	loop_timer_free(&pairing->timer);
}

static struct strview digits_of(const struct pairing *pairing)
{
	return sv_from(pairing->phone + 1);
}

/* --- answers --- */

static void reply_qr(struct api_call *call, const struct store_pairing *stands)
{
	struct strview accept = http_request_header(call->http, "Accept");
	const char *list = sv_is_null(accept) ? "" : pool_sv_cstr(call->pool, accept);
	struct strbuf out = STRBUF_INIT;
	const char *type = "image/png";
	char until[CLOCK_RFC3339_SIZE];
	int status = 0;

	if (strstr(list, "image/png") != NULL) {
		status = qr_image_png(stands->qr, &out);
	} else if (strstr(list, "image/svg+xml") != NULL) {
		type = "image/svg+xml";
		status = qr_image_svg(stands->qr, &out);
	} else if (strstr(list, "text/plain") != NULL) {
		type = "text/plain; charset=utf-8";
		strbuf_append_sv(&out, stands->qr);
	} else {
		status = qr_image_png(stands->qr, &out);
	}
	clock_format(stands->qr_until, until);
	api_reply_header(call, "Cache-Control", SV_LIT("private, no-store"));
	api_reply_header(call, "X-Expires-At", sv_from(until));
	if (status == 0)
		api_reply_raw(call, 200, type, strbuf_view(&out));
	else
		api_reply_problem(call, PROBLEM_INTERNAL, "The code does not fit into a QR code");
	strbuf_deinit(&out);
}

static void reply_code(struct pairing *pairing, const struct store_pairing *stands)
{
	struct json *view = json_new_object();
	json_set_sv(view, "code", stands->code);
	json_set_cstr(view, "phone_number", pairing->phone);
	json_set_time(view, "expires_at", stands->code_until);
	api_reply_header(pairing->call, "Cache-Control", SV_LIT("private, no-store"));
	api_reply_value(pairing->call, 200, view);
}

static void reply_nothing(struct pairing *pairing, const struct store_pairing *stands)
{
	api_reply_problem(pairing->call, PROBLEM_CONFLICT,
		"There is nothing to %s: the session's engine is %.*s and its state is %.*s",
		pairing->is_code ? "type" : "scan", SV_ARG(stands->engine), SV_ARG(stands->state));
}

/* --- waiting --- */

static bool is_there(const struct pairing *pairing, const struct store_pairing *stands)
{
	if (!pairing->is_code)
		return !sv_is_null(stands->qr);
	return pairing->has_asked && !sv_is_null(stands->code) &&
	       sv_eq(stands->code_phone, digits_of(pairing));
}

static bool can_be_paired(const struct store_pairing *stands)
{
	static const char *const states[] = {"starting", "pairing", "failed", "logged_out"};
	if (sv_eq_cstr(stands->engine, "sandbox"))
		return false;
	for (size_t i = 0; i < array_len(states); i++) {
		if (sv_eq_cstr(stands->state, states[i]))
			return true;
	}
	return false;
}

/* A session that is pairing shows codes to scan by itself, unless it waits for one to be typed:
 * then somebody is at it. */
static bool must_ask(const struct pairing *pairing, const struct store_pairing *stands)
{
	if (pairing->has_asked)
		return false;
	return pairing->is_code || sv_eq_cstr(stands->state, "failed") ||
	       sv_eq_cstr(stands->state, "logged_out");
}

static void on_asked(void *ctx, const struct pg_result *result)
{
	struct pairing *pairing = ctx;
	if (!api_call_pg_ok(pairing->call, result))
		return;
	pairing->has_asked = true;
	loop_timer_arm(pairing->timer, LOOK_MS);
}

/* The shared session is the operator's to pair: for a tenant it has nothing to scan, as if it did
 * not exist. */
static void on_found(void *ctx, const struct pg_result *result)
{
	struct pairing *pairing = ctx;
	struct api_call *call = pairing->call;

	if (!api_call_pg_found(call, result, "Session"))
		return;
	struct store_pairing stands = store_pairing_at(result);
	if (stands.is_shared)
		api_reply_not_found(call, "Session");
	else if (is_there(pairing, &stands) && pairing->is_code)
		reply_code(pairing, &stands);
	else if (is_there(pairing, &stands))
		reply_qr(call, &stands);
	else if (!can_be_paired(&stands) || clock_mono_ms() >= pairing->until_ms)
		reply_nothing(pairing, &stands);
	else if (must_ask(pairing, &stands))
		store_pairing_ask(call->api->store, pairing->session_id,
			pairing->is_code ? digits_of(pairing) : SV_LIT(""), on_asked, pairing);
	else
		loop_timer_arm(pairing->timer, LOOK_MS);
}

static void look(struct pairing *pairing)
{
	struct api_call *call = pairing->call;
	store_pairing_get(
		call->api->store, call->caller.tenant_id, pairing->session_id, on_found, pairing);
}

static struct pairing *pairing_new(struct api_call *call)
{
	struct pairing *pairing = pool_new_in(call->pool, struct pairing);
	if (!api_call_path_id(call, 0, "Session", &pairing->session_id))
		return NULL;
	pairing->call = call;
	pairing->until_ms = clock_mono_ms() + WAIT_MS;
	pairing->timer = loop_timer_new(call->api->loop, "pairing", on_timer, pairing);
	pool_on_free(call->pool, free_timer, pairing);
	return pairing;
}

void handle_session_qr(struct api_call *call)
{
	struct pairing *pairing = pairing_new(call);
	if (pairing != NULL)
		look(pairing);
}

void handle_session_pairing_code(struct api_call *call)
{
	static const struct body_text_rule rule = {BODY_REQUIRED, 64, true, false};
	struct body_reader reader;
	struct field_errors errors;
	struct strview text;
	char phone[PHONE_SIZE] = "";
	struct err err;

	field_errors_init(&errors, call->pool);
	body_reader_init(&reader, call->body, "", call->pool, &errors);
	if (body_text(&reader, "phone_number", &rule, &text) && phone_parse(text, phone, &err) != 0)
		body_reader_fail(&reader, "phone_number", "%s", err.text);
	body_reader_end(&reader);
	if (errors.n > 0) {
		api_reply_invalid(call, &errors);
		return;
	}
	struct pairing *pairing = pairing_new(call);
	if (pairing == NULL)
		return;
	pairing->is_code = true;
	memcpy(pairing->phone, phone, sizeof(phone));
	look(pairing);
}
