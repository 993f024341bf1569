/* /openapi.json, /docs and /docs/errors: three files that are part of the binary. */
#include "services/api/api_reply.h"
#include "services/api/embedded.h"
#include "services/api/handlers.h"

/* The page's script and style stand in the page; it asks this api for openapi.json and nobody for
 * anything else. */
static const char page_policy[] =
	"default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; "
	"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

static void reply_page(struct api_call *call, const unsigned char *data, unsigned long size)
{
	api_reply_header(call, "Content-Security-Policy", sv_from(page_policy));
	api_reply_header(call, "X-Content-Type-Options", SV_LIT("nosniff"));
	api_reply_header(call, "Referrer-Policy", SV_LIT("no-referrer"));
	api_reply_header(call, "Cache-Control", SV_LIT("no-cache"));
	api_reply_raw(call, 200, "text/html; charset=utf-8", sv_make(data, size));
}

void handle_openapi(struct api_call *call)
{
	api_reply_header(call, "X-Content-Type-Options", SV_LIT("nosniff"));
	api_reply_header(call, "Cache-Control", SV_LIT("no-cache"));
	api_reply_raw(call, 200, "application/json", sv_make(openapi_json_data, openapi_json_size));
}

void handle_docs(struct api_call *call)
{
	reply_page(call, docs_html_data, docs_html_size);
}

void handle_docs_errors(struct api_call *call)
{
	reply_page(call, errors_html_data, errors_html_size);
}
