/* The table of ends. */
#include "services/webhooker/delivery_verdict.h"

#include "common/base/check.h"

static struct delivery_verdict of_status(int status)
{
	if (status >= 200 && status <= 299)
		return (struct delivery_verdict){VERDICT_OK, false};
	if (status == 410)
		return (struct delivery_verdict){VERDICT_GIVE_UP, true};
	return (struct delivery_verdict){VERDICT_RETRY, true};
}

struct delivery_verdict delivery_verdict_of(enum http_failure failure, int status)
{
	switch (failure) {
	case HTTP_FAILURE_NONE:
		return of_status(status);
	case HTTP_FAILURE_GUARD:
	case HTTP_FAILURE_ABORTED:
		return (struct delivery_verdict){VERDICT_RETRY, false};
	case HTTP_FAILURE_RESOLVE:
	case HTTP_FAILURE_CONNECT:
	case HTTP_FAILURE_TLS:
		return (struct delivery_verdict){VERDICT_RETRY, true};
	case HTTP_FAILURE_TIMEOUT:
	case HTTP_FAILURE_BROKEN:
	case HTTP_FAILURE_TOO_LARGE:
		return (struct delivery_verdict){VERDICT_UNKNOWN, true};
	}
	WRONG("a call that ended in no known way");
}
