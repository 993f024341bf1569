/* What an answer to a fetch means. Pure. */
#ifndef WA_GATEWAY_MEDIA_VERDICT_H
#define WA_GATEWAY_MEDIA_VERDICT_H

#include "common/io/http_client.h"

enum media_verdict {
	MEDIA_HERE,
	MEDIA_LATER, /* temporary trouble: another try may help */
	MEDIA_NEVER,
};

enum media_verdict media_verdict_of(enum http_failure failure, int status);

#endif
