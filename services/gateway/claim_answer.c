/* The order of the questions matters: who asks, is it still open, may it be tried now, and only
 * then how. */
#include "services/gateway/claim_answer.h"

static enum claim_answer answer_closed(enum message_status status)
{
	return status == MESSAGE_SENT || status == MESSAGE_DELIVERED || status == MESSAGE_READ
		       ? CLAIM_ANSWER_SENT
		       : CLAIM_ANSWER_FINAL;
}

static bool could_be_tried(const struct claim_finding *finding)
{
	bool waits = finding->status == MESSAGE_QUEUED ||
		     (finding->status == MESSAGE_SENDING && finding->outcome_unknown);
	return waits && finding->attempt_fits && finding->is_due && finding->is_head;
}

enum claim_answer claim_answer_of(
	const struct claim_finding *finding, int attempt_budget, bool was_alone)
{
	if (!finding->is_fresh)
		return CLAIM_ANSWER_NOTHING;
	if (!finding->is_found)
		return CLAIM_ANSWER_REFUSED;
	if (!finding->is_open)
		return answer_closed(finding->status);
	if (!could_be_tried(finding))
		return CLAIM_ANSWER_REFUSED;
	if (finding->status == MESSAGE_SENDING) {
		if (finding->deaths_alone >= CLAIM_DEATHS_TILL_SET_ASIDE)
			return CLAIM_ANSWER_SET_ASIDE;
		if (finding->is_past_valid)
			return CLAIM_ANSWER_CLOSE_EXPIRED;
		if (finding->attempts >= attempt_budget)
			return CLAIM_ANSWER_CLOSE_SPENT;
	} else if (finding->is_past_valid) {
		return CLAIM_ANSWER_REFUSED; /* the sender expires it */
	}
	if (finding->media_wanted)
		return CLAIM_ANSWER_NO_MEDIA;
	if (finding->deaths >= CLAIM_DEATHS_TILL_ALONE && !was_alone)
		return CLAIM_ANSWER_ALONE;
	return CLAIM_ANSWER_REFUSED;
}
