/*
 * The body of a webhook, from the event's row and the immutable parts of its message's row: the same bytes at every attempt,
 * but for the link to a media file, whose life begins anew each time. Pure. The fields are those of the contract's table.
 */
#ifndef WA_MODEL_EVENT_RENDER_H
#define WA_MODEL_EVENT_RENDER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/attr.h"
#include "common/base/err.h"
#include "common/base/strbuf.h"
#include "common/base/strview.h"
#include "common/model/event_type.h"
#include "common/model/media_link.h"
#include "common/model/message.h"

struct event_row {
	int64_t sequence;
	int64_t created_at_wall_ms;
	int64_t at_wall_ms; /* when the fact happened */
	int32_t tenant_id;
	int32_t contact_id; /* 0: none */
	enum event_type type;
	struct strview message_id; /* SV_NULL: none */
	struct strview data;       /* events.data: a JSON object, or SV_NULL */
	bool has_message;          /* its message's row was found; then: */
	enum message_type message_type;
	int32_t session_id;
	bool is_erased;
	struct strview phone;
	struct strview body;
	struct strview caption;
	struct strview media_sha256;
	struct strview filename;
	struct strview detail;   /* JSON, of a location or contacts */
	struct strview reply_to; /* our id of the message that it answers */
	struct strview external_ref;
	struct strview error;
	struct strview error_code;
};

struct event_reader { /* who will read it */
	const struct media_links *links;
	bool may_read_media; /* by a signed link; else links are without signature, and need a key */
	int64_t now_wall_ms;
};

/* Append the JSON. 0, or -1 with err when the row makes no sense (and then nothing was appended). */
int event_render(
	const struct event_row *row, const struct event_reader *reader, struct strbuf *out, struct err *err) MUST_CHECK;

#endif
