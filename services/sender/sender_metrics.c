/* Names and help of the counters. */
#include "services/sender/sender_metrics.h"

#include <stdio.h>

#include "services/sender/outcome_intake.h"

void sender_metrics_init(struct sender_metrics *ret_metrics, struct metrics *metrics)
{
	*ret_metrics = (struct sender_metrics){
		.dispatched = metrics_counter(metrics, "wa_sender_dispatched_total", "",
			"messages given to gateways, attempts counted one by one"),
		.expired = metrics_counter(metrics, "wa_sender_expired_total", "",
			"messages that were not sent before valid_until"),
		.scheduled = metrics_counter(metrics, "wa_sender_scheduled_total", "",
			"scheduled messages that joined the queue"),
		.swept = metrics_counter(metrics, "wa_sender_sweep_found_total", "",
			"conversations that only a sweep of Postgres made known"),
	};
	for (int kind = OUTCOME_SENT; kind <= OUTCOME_NO_MEDIA; kind++) {
		char labels[48];
		(void)snprintf(labels, sizeof(labels), "kind=\"%s\"",
			outcome_kind_name((enum outcome_kind)kind));
		ret_metrics->outcomes[kind] = metrics_counter(metrics, "wa_sender_outcomes_total",
			labels, "what gateways told about dispatched messages");
	}
	ret_metrics->pace_wait[0] = metrics_histogram(metrics, "wa_sender_pace_wait_seconds",
		"limit=\"shared\"", "how long limits told messages to wait");
	ret_metrics->pace_wait[1] = metrics_histogram(metrics, "wa_sender_pace_wait_seconds",
		"limit=\"recipient\"", "how long limits told messages to wait");
}
