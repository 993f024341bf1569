/* Media files that lie in an object store, in SQL. */
#ifndef WA_GATEWAY_GATEWAY_STORE_MEDIA_H
#define WA_GATEWAY_GATEWAY_STORE_MEDIA_H

#include <stdbool.h>

#include "common/io/pg_conn.h"

struct gateway_media_object {
	struct strview object;     /* its name in the store */
	struct strview message_id; /* who wants it; SV_NULL: whoever refers to its hash */
	struct strview sha256;
	struct strview content_type;
	int64_t size_bytes;
};

/* Before it is put: it is known as loose from then on, so that it is deleted if nothing comes of
 * it. Beginning again is harmless. */
void gateway_store_media_begin(
	struct pg_conn *conn, const struct gateway_media_object *object, pg_done_fn fn, void *ctx);

enum gateway_media_begun {
	GATEWAY_MEDIA_BEGUN,
	GATEWAY_MEDIA_IS_HERE, /* the file is kept already: nothing is to be put */
	GATEWAY_MEDIA_DOOMED,  /* this object is being deleted: take another name */
};
enum gateway_media_begun gateway_store_media_begun(const struct pg_result *result);

/* After it was put: the file's row names it, unless the file is kept already, and the message that
 * wants it has it. */
void gateway_store_media_end(
	struct pg_conn *conn, const struct gateway_media_object *object, pg_done_fn fn, void *ctx);
/* False: the object was doomed, or the row that stood for the file is gone: begin anew, under
 * another name. */
bool gateway_store_media_ended(const struct pg_result *result);

#endif
