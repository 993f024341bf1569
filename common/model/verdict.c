/* Names of verdicts, for logs and metrics. */
#include "common/model/verdict.h"

#include "common/base/check.h"

const char *verdict_name(enum verdict verdict)
{
	switch (verdict) {
	case VERDICT_OK:
		return "ok";
	case VERDICT_RETRY:
		return "retry";
	case VERDICT_GIVE_UP:
		return "give_up";
	case VERDICT_UNKNOWN:
		return "unknown";
	}
	WRONG("no such verdict");
}
