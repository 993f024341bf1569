/* Failures and statuses. */
#include "services/gateway/media_verdict.h"

enum media_verdict media_verdict_of(enum http_failure failure, int status)
{
	switch (failure) {
	case HTTP_FAILURE_NONE:
		break;
	case HTTP_FAILURE_GUARD:
	case HTTP_FAILURE_TOO_LARGE:
		return MEDIA_NEVER;
	case HTTP_FAILURE_RESOLVE:
	case HTTP_FAILURE_CONNECT:
	case HTTP_FAILURE_TLS:
	case HTTP_FAILURE_TIMEOUT:
	case HTTP_FAILURE_BROKEN:
	case HTTP_FAILURE_ABORTED:
		return MEDIA_LATER;
	}
	if (status >= 200 && status <= 299)
		return MEDIA_HERE;
	return status >= 500 || status == 408 || status == 425 || status == 429 ? MEDIA_LATER
										: MEDIA_NEVER;
}
