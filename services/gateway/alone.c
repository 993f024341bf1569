/* Slices of trials and of ordinary work in turn. */
#include "services/gateway/alone.h"

#include "common/base/check.h"

enum alone_step alone_next(
	const struct alone *alone, int n_suspects, int n_ordinary, int n_in_flight, int64_t now_ms)
{
	if (alone->is_trying)
		return ALONE_WAIT;
	if (n_suspects == 0)
		return ALONE_ORDINARY;
	if (n_ordinary > 0 && now_ms < alone->ordinary_until_ms)
		return ALONE_ORDINARY;
	return n_in_flight > 0 ? ALONE_WAIT : ALONE_TRY;
}

void alone_begin(struct alone *alone, int64_t now_ms)
{
	ASSERT(!alone->is_trying);
	alone->is_trying = true;
	if (alone->trials_since_ms == 0)
		alone->trials_since_ms = now_ms;
}

void alone_end(struct alone *alone, int n_suspects, int64_t now_ms)
{
	ASSERT(alone->is_trying);
	alone->is_trying = false;
	if (n_suspects == 0) {
		alone->trials_since_ms = 0;
	} else if (now_ms - alone->trials_since_ms >= ALONE_TRIALS_SLICE_MS) {
		alone->trials_since_ms = 0;
		alone->ordinary_until_ms = now_ms + ALONE_ORDINARY_SLICE_MS;
	}
}
