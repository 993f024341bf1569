/* The table of verdicts and budgets. */
#include "services/gateway/attempt_move.h"

#include <stdio.h>
#include <string.h>

#include "common/base/check.h"

/* End the text before the first byte that is not UTF-8: an engine may say anything, and cutting may
 * have split a character. */
static void cut_to_utf8(char *text)
{
	struct strview rest = sv_from(text);
	while (rest.len > 0) {
		size_t len = sv_utf8_front(rest);
		if (len == 0)
			break;
		rest = sv_make(rest.ptr + len, rest.len - len);
	}
	text[strlen(text) - rest.len] = '\0';
}

static void set_texts(struct attempt_move *move, const char *code, const char *error)
{
	(void)snprintf(move->code, sizeof(move->code), "%s", code);
	(void)snprintf(move->error, sizeof(move->error), "%s", error);
	cut_to_utf8(move->code);
	cut_to_utf8(move->error);
}

static void fail(struct attempt_move *move, const char *code, const char *error)
{
	memset(move, 0, sizeof(*move));
	move->kind = OUTCOME_FINAL;
	move->status = MESSAGE_FAILED;
	set_texts(move, code, error);
}

static void wait_for_next(struct attempt_move *move, bool is_unknown, int64_t delay_ms)
{
	memset(move, 0, sizeof(*move));
	move->kind = is_unknown ? OUTCOME_UNKNOWN : OUTCOME_RETRY;
	move->status = is_unknown ? MESSAGE_SENDING : MESSAGE_QUEUED;
	move->delay_ms = delay_ms;
}

static const char *or_default(const char *text, const char *instead)
{
	return text != NULL && text[0] != '\0' ? text : instead;
}

static void fail_spent(struct attempt_end end, int attempts, struct attempt_move *ret_move)
{
	char error[ATTEMPT_ERROR_SIZE];
	(void)snprintf(error, sizeof(error), "none of %d attempts succeeded; the last error: %s",
		attempts, or_default(end.text, or_default(end.code, "no reason given")));
	fail(ret_move, ERROR_ATTEMPTS_SPENT, error);
}

void attempt_move_close_unknown(const char *why, struct attempt_move *ret_move)
{
	char error[ATTEMPT_ERROR_SIZE];
	(void)snprintf(error, sizeof(error),
		"WhatsApp did not confirm this message, but it may have arrived; %s", why);
	fail(ret_move, ERROR_OUTCOME_UNKNOWN, error);
}

static void give_up(struct attempt_end end, bool ever_unknown, struct attempt_move *ret_move)
{
	if (!ever_unknown) {
		const char *code = or_default(end.code, ERROR_REJECTED);
		fail(ret_move, code, or_default(end.text, code));
		return;
	}
	char why[ATTEMPT_ERROR_SIZE];
	(void)snprintf(why, sizeof(why), "the last attempt failed: %s",
		or_default(end.text, or_default(end.code, ERROR_REJECTED)));
	attempt_move_close_unknown(why, ret_move);
}

void attempt_move_decide(struct attempt_end end, int attempts, bool ever_unknown,
	const struct schedule *schedule, struct attempt_move *ret_move)
{
	ASSERT(end.verdict != VERDICT_OK);
	if (end.verdict == VERDICT_GIVE_UP) {
		give_up(end, ever_unknown, ret_move);
		return;
	}
	bool is_unknown = ever_unknown || end.verdict == VERDICT_UNKNOWN;
	int64_t delay_ms = schedule_delay_ms(schedule, attempts);
	if (delay_ms >= 0) {
		wait_for_next(
			ret_move, is_unknown, delay_ms > end.held_ms ? delay_ms : end.held_ms);
		if (end.held_ms > 0)
			set_texts(ret_move, or_default(end.code, ERROR_REJECTED),
				or_default(end.text, ""));
	} else if (is_unknown) {
		attempt_move_close_unknown("its attempts are spent", ret_move);
	} else {
		fail_spent(end, attempts, ret_move);
	}
}

void attempt_move_set_aside(int deaths_alone, struct attempt_move *ret_move)
{
	char error[ATTEMPT_ERROR_SIZE];
	(void)snprintf(error, sizeof(error),
		"set aside: the process that sent it died %d times while nothing else was in "
		"flight; it may have arrived",
		deaths_alone);
	fail(ret_move, ERROR_SET_ASIDE, error);
}

int attempt_budget(const struct schedule *schedule)
{
	return schedule->n_delays + 1;
}
