/*
 * May a request without a token be taken for the operator's own? In development only: it comes from
 * a loopback address, with a loopback Host, with a JSON content type (so that nothing that can be
 * made to fetch a URL gets in), and without the headers that a browser's page (Origin) or a reverse
 * proxy (Forwarded, X-Forwarded-*, Via) adds. HTTP/1.0 is what nginx speaks to what stands behind
 * it unless told otherwise, and then with our own name as Host and no other trace. Pure.
 */
#ifndef WA_API_LOCAL_CALLER_H
#define WA_API_LOCAL_CALLER_H

#include <stdbool.h>

#include "common/base/strview.h"

struct local_caller {
	bool development;
	bool peer_is_loopback;
	bool is_http10;
	struct strview host; /* headers: SV_NULL when absent */
	struct strview content_type;
	bool has_foreign_header; /* Origin, Forwarded, X-Forwarded-…, Via */
};

bool local_caller_is_trusted(const struct local_caller *caller);
/* "application/json", with or without parameters. */
bool content_type_is_json(struct strview content_type);

#endif
