/*
 * Links to media files. A signed one needs no API key:
 *   <public url>/api/v1/media/<sha256>?tenant=<id>&expires=<unix seconds>&signature=<64 hex digits>
 * signature = HMAC-SHA256 of "<tenant>.<sha256>.<expires>" with a key that is derived from
 * WA_MASTER_KEY. It stands for the permission of whoever was shown it; so it is shown only to
 * callers who may read messages, and to the tenant's own endpoints. Pure.
 */
#ifndef WA_MODEL_MEDIA_LINK_H
#define WA_MODEL_MEDIA_LINK_H

#include <stdint.h>

#include "common/base/attr.h"
#include "common/base/secret_box.h"
#include "common/base/strbuf.h"
#include "common/base/strview.h"

struct media_links; /* makes links and judges them */

/* public_url: of the api; slashes at its end are cut. Links are signed with the box's first key;
 * those of its other keys are good too, so that keys rotate. */
struct media_links *media_links_new(
	const struct secret_box *box, struct strview public_url, int64_t ttl_ms);
void media_links_free(struct media_links **links); /* wipes */

/* Append a link that is good for ttl_ms from now, cut to whole seconds. */
void media_link_format(const struct media_links *links, int32_t tenant_id, struct strview sha256,
	int64_t now_wall_ms, struct strbuf *out);
/* Append one without a signature: whoever follows it needs a key. */
void media_link_format_plain(
	const struct media_links *links, struct strview sha256, struct strbuf *out);

/* As it was asked for: nothing of it is known to be right. SV_NULL: missing. */
struct media_link {
	struct strview sha256;
	struct strview tenant;
	struct strview expires;
	struct strview signature;
};

enum media_link_verdict {
	MEDIA_LINK_GOOD,
	MEDIA_LINK_EXPIRED, /* ours, but its time is over */
	MEDIA_LINK_FORGED,  /* we never made it, or not with these keys */
};

struct media_link_facts {
	int32_t tenant_id;
	int64_t expires_wall_ms;
};

/* ret_facts is filled unless it is forged. */
enum media_link_verdict media_link_judge(const struct media_links *links,
	const struct media_link *link, int64_t now_wall_ms,
	struct media_link_facts *ret_facts) MUST_CHECK;

#endif
