/* What the end of a POST means. Pure. */
#ifndef WA_WEBHOOKER_DELIVERY_VERDICT_H
#define WA_WEBHOOKER_DELIVERY_VERDICT_H

#include <stdbool.h>

#include "common/io/http_client.h"
#include "common/model/verdict.h"

struct delivery_verdict {
	enum verdict verdict; /* GIVE_UP: the endpoint says that it is gone for good */
	bool is_charged;      /* a failure that speaks against the endpoint, not against us or its
				 registration */
};

/* Any 2xx is success, 410 is the end of the endpoint, all else (redirects too) is tried again.
   Where the endpoint may have taken the event although no answer came, the verdict is UNKNOWN: it
   is tried again with the same id. */
struct delivery_verdict delivery_verdict_of(enum http_failure failure, int status);

#endif
