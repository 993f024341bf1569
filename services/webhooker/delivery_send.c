/* One POST. */
#include "services/webhooker/delivery_send.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/base/attr.h"
#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/io/marked_step.h"
#include "common/model/event_type.h"
#include "common/model/id.h"
#include "services/webhooker/delivery_verdict.h"
#include "services/webhooker/text_excerpt.h"

#define ERROR_BYTES        240
#define CONNECT_TIMEOUT_MS 5000
#define NUMBER_SIZE        24
#define USER_AGENT         "whatsapp-agent-webhooks/1"

struct delivery_send {
	struct delivery_send_options options;
	struct signatures signatures;
	struct strbuf error;
	struct strbuf response;
};

struct send_call {
	struct delivery_send *send;
	struct delivery *delivery;
	struct http_call *http;
};

/* --- the end --- */

static void describe_error(struct delivery_send *send, const struct http_answer *answer)
{
	struct strbuf text = STRBUF_INIT;

	strbuf_reset(&send->error);
	strbuf_reset(&send->response);
	if (answer->failure == HTTP_FAILURE_NONE) {
		strbuf_printf(&send->error, "answered %d", answer->status);
		text_excerpt(answer->body, SEND_EXCERPT_BYTES, &send->response);
		return;
	}
	strbuf_printf(&text, "%s: %s", http_failure_name(answer->failure), answer->err.text);
	text_excerpt(strbuf_view(&text), ERROR_BYTES, &send->error);
	strbuf_deinit(&text);
}

static void log_news(const struct delivery *delivery, const struct store_end *end,
	const struct delivery_news *news)
{
	if (news->has_tripped)
		log_warn("endpoint_tripped", log_int("webhook", delivery->webhook_id),
			log_sv("error", end->error));
	if (news->has_recovered)
		log_info("endpoint_recovered", log_int("webhook", delivery->webhook_id));
	if (end->status == DELIVERY_OUT_OF_ATTEMPTS)
		log_warn("delivery_out_of_attempts", log_int("webhook", delivery->webhook_id),
			log_int("sequence", delivery->sequence),
			log_int("attempts", delivery->attempts), log_sv("error", end->error));
	else if (!sv_is_null(end->error))
		log_debug("delivery_failed", log_int("webhook", delivery->webhook_id),
			log_int("sequence", delivery->sequence),
			log_int("attempts", delivery->attempts), log_int("next_ms", end->wait_ms),
			log_sv("error", end->error));
}

static void finish(struct delivery_send *send, struct delivery *delivery,
	const struct http_answer *answer, struct delivery_verdict verdict, int64_t now_ms)
{
	bool is_ok = verdict.verdict == VERDICT_OK;
	struct delivery_result result = {
		.verdict = verdict.verdict,
		.is_charged = verdict.is_charged,
		.retry_after_ms = answer->retry_after_ms,
	};
	struct store_end end = {
		.webhook_id = delivery->webhook_id,
		.sequence = delivery->sequence,
		.created_at_wall_ms = delivery->created_at_wall_ms,
		.partition = delivery->partition,
		.epoch = send->options.epoch(send->options.ctx, delivery->partition),
		.attempts = delivery->attempts,
		.ago_ms = now_ms - delivery->started_ms,
		.duration_ms = (int)(now_ms - delivery->started_ms),
		.http_status = answer->status,
		.error = is_ok ? SV_NULL : strbuf_view(&send->error),
		.response = send->response.len == 0 ? SV_NULL : strbuf_view(&send->response),
	};

	struct delivery_news news =
		delivery_queue_finish(send->options.queue, delivery, &result, now_ms);
	end.status = news.end.status;
	end.wait_ms = news.end.wait_ms;
	delivery_record_add(send->options.record, delivery, &end);
	if (is_ok || verdict.is_charged)
		endpoint_set_note(send->options.endpoints, delivery->webhook_id,
			news.failing_for_ms, end.ago_ms);
	if (verdict.verdict == VERDICT_GIVE_UP)
		endpoint_set_gone(send->options.endpoints, delivery->webhook_id);
	log_news(delivery, &end, &news);
	send->options.on_end(send->options.ctx, &end);
}

static void on_answer(void *ctx, const struct http_answer *answer)
{
	struct send_call *call = ctx;
	struct delivery_send *send = call->send;
	struct delivery *delivery = call->delivery;
	struct delivery_verdict verdict = delivery_verdict_of(answer->failure, answer->status);

	mem_free(call);
	delivery->call = NULL;
	MARKED_STEP_NUMBER("webhooker_delivery_answered", delivery->contact_id);
	if (verdict.verdict == VERDICT_OK)
		strbuf_reset(&send->response);
	else
		describe_error(send, answer);
	finish(send, delivery, answer, verdict, clock_mono_ms());
}

/* A fault that the endpoint does not know of: it was never called. */
static void fail_unsent(
	struct delivery_send *send, struct delivery *delivery, const char *fault, int64_t now_ms)
{
	struct http_answer none = {.failure = HTTP_FAILURE_ABORTED, .retry_after_ms = -1};
	struct delivery_verdict verdict = {.verdict = VERDICT_RETRY, .is_charged = false};

	strbuf_reset(&send->error);
	strbuf_reset(&send->response);
	text_excerpt(sv_from(fault), ERROR_BYTES, &send->error);
	finish(send, delivery, &none, verdict, now_ms);
}

/* --- the beginning --- */

static const char *event_name_of(const struct delivery *delivery)
{
	return event_type_name((enum event_type)delivery->event_type);
}

static void post(
	struct delivery_send *send, struct delivery *delivery, const struct endpoint *endpoint)
{
	char id[ID_SIZE], timestamp[NUMBER_SIZE], attempt[NUMBER_SIZE];
	int64_t timestamp_s = clock_wall_ms() / 1000;
	struct send_call *call = mem_new(struct send_call);

	id_of_event(delivery->sequence, id);
	(void)snprintf(timestamp, sizeof(timestamp), "%" PRId64, timestamp_s);
	(void)snprintf(attempt, sizeof(attempt), "%d", delivery->attempts + 1);
	signatures_make(&send->signatures, endpoint->secrets, endpoint->n_secrets, id, timestamp_s,
		strbuf_view(&delivery->body));
	const struct http_header headers[] = {
		{"Content-Type", "application/json"},
		{"User-Agent", USER_AGENT},
		{"webhook-id", id},
		{"webhook-timestamp", timestamp},
		{"webhook-signature", strbuf_cstr(&send->signatures.standard)},
		{"X-Webhook-Signature", strbuf_cstr(&send->signatures.guide)},
		{"X-Webhook-Event", event_name_of(delivery)},
		{"X-Webhook-Attempt", attempt},
	};
	struct http_call_options options = {
		.method = "POST",
		.url = endpoint->url,
		.headers = headers,
		.n_headers = (int)array_len(headers),
		.body = strbuf_view(&delivery->body),
		.connect_timeout_ms = send->options.timeout_ms < CONNECT_TIMEOUT_MS
					      ? send->options.timeout_ms
					      : CONNECT_TIMEOUT_MS,
		.total_timeout_ms = send->options.timeout_ms,
		.max_response_bytes = SEND_RESPONSE_MAX_BYTES,
		.cut_response = true,
	};
	*call = (struct send_call){.send = send, .delivery = delivery};
	call->http = http_client_start(send->options.http, &options, on_answer, call);
	delivery->call = call;
	MARKED_STEP_NUMBER("webhooker_delivery_posted", delivery->contact_id);
}

void delivery_send_start(struct delivery_send *send, struct delivery *delivery, int64_t now_ms)
{
	const struct endpoint *endpoint =
		endpoint_set_find(send->options.endpoints, delivery->webhook_id);

	ASSERT(delivery->state == DELIVERY_SENDING);
	if (delivery->fault != NULL)
		fail_unsent(send, delivery, delivery->fault, now_ms);
	else if (endpoint == NULL || endpoint->url == NULL)
		fail_unsent(send, delivery, "the endpoint is not known", now_ms);
	else if (endpoint->n_secrets == 0)
		fail_unsent(send, delivery, endpoint->fault.text, now_ms);
	else
		post(send, delivery, endpoint);
}

void delivery_send_cancel(struct delivery *delivery)
{
	struct send_call *call = delivery->call;

	if (call == NULL)
		return;
	http_call_cancel(&call->http);
	mem_free(call);
	delivery->call = NULL;
}

/* --- life --- */

struct delivery_send *delivery_send_new(const struct delivery_send_options *options)
{
	struct delivery_send *send = mem_new(struct delivery_send);

	send->options = *options;
	signatures_init(&send->signatures);
	return send;
}

void delivery_send_free(struct delivery_send **send)
{
	if (*send == NULL)
		return;
	signatures_deinit(&(*send)->signatures);
	strbuf_deinit(&(*send)->error);
	strbuf_deinit(&(*send)->response);
	mem_free(*send);
	*send = NULL;
}
