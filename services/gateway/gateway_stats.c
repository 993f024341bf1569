/* Names and help of the gateway's metrics. */
#include "services/gateway/gateway_stats.h"

#include <stdio.h>

static struct metric *counter(struct metrics *metrics, const char *name, const char *help)
{
	return metrics_counter(metrics, name, "", help);
}

static void init_outcomes(struct gateway_stats *stats, struct metrics *metrics)
{
	static const char *const names[] = {
		[OUTCOME_SENT] = "sent",
		[OUTCOME_FINAL] = "final",
		[OUTCOME_RETRY] = "retry",
		[OUTCOME_UNKNOWN] = "unknown",
		[OUTCOME_REFUSED] = "refused",
		[OUTCOME_NOT_READY] = "not_ready",
		[OUTCOME_NO_MEDIA] = "no_media",
	};
	for (int kind = OUTCOME_SENT; kind <= OUTCOME_NO_MEDIA; kind++) {
		char labels[32];
		(void)snprintf(labels, sizeof(labels), "kind=\"%s\"", names[kind]);
		stats->outcomes[kind] = metrics_counter(
			metrics, "wa_gateway_outcomes_total", labels, "Outcomes told to senders");
	}
}

void gateway_stats_init(struct gateway_stats *stats, struct metrics *metrics)
{
	init_outcomes(stats, metrics);
	stats->claims = counter(metrics, "wa_gateway_claims_total", "Claim statements");
	stats->claimed = counter(metrics, "wa_gateway_claimed_total", "Messages claimed");
	stats->handed_over =
		counter(metrics, "wa_gateway_handed_over_total", "Messages handed to an engine");
	stats->receipts = counter(metrics, "wa_gateway_receipts_total", "Receipts from engines");
	stats->receipts_unknown = counter(metrics, "wa_gateway_receipts_unknown_total",
		"Receipts for ids that no message has");
	stats->late_answers = counter(metrics, "wa_gateway_late_answers_total",
		"Answers of engines about attempts that had ended");
	stats->inbound = counter(metrics, "wa_gateway_inbound_total", "New incoming messages");
	stats->media_fetched =
		counter(metrics, "wa_gateway_media_fetched_total", "Media files fetched");
	stats->media_failed = counter(
		metrics, "wa_gateway_media_failed_total", "Media files that could not be had");
	stats->media_store_failures = counter(metrics, "wa_gateway_media_store_failures_total",
		"Calls of the media store that did not do what was asked");
	stats->set_aside =
		counter(metrics, "wa_gateway_set_aside_total", "Messages and entries set aside");
	stats->store_retries =
		counter(metrics, "wa_gateway_store_retries_total", "Statements that were repeated");
	stats->left_out = counter(
		metrics, "wa_gateway_left_out_total", "Facts that Postgres refused for good");
	stats->progress_batches =
		counter(metrics, "wa_gateway_progress_batches_total", "Statements of receipts");
	stats->progress_facts =
		counter(metrics, "wa_gateway_progress_facts_total", "Messages in those statements");
	stats->ack_seconds = metrics_histogram(metrics, "wa_gateway_ack_seconds", "",
		"From handing over to WhatsApp's acknowledgement");
}
