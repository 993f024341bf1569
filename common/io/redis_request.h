/* Commands on their way to Redis: their queue, and how they are written (RESP,
 * https://redis.io/docs/reference/protocol-spec). */
#ifndef WA_IO_REDIS_REQUEST_H
#define WA_IO_REDIS_REQUEST_H

#include "common/base/strbuf.h"
#include "common/io/redis_conn.h"

struct redis_request {
	struct redis_request *next;
	redis_done_fn fn; /* NULL: nobody waits for it */
	void *ctx;
	int64_t deadline_ms; /* monotonic */
	size_t size_bytes;
	enum redis_status status;          /* once it has ended without a reply */
	const struct redis_script *script; /* not NULL for the first try of a script, */
	char *tail;                        /* whose arguments are kept for a second one */
	size_t tail_len;
	int n_args;
};

struct redis_request_list { /* all zero is an empty list */
	struct redis_request *first, *last;
	int n;
};

struct redis_request *redis_request_new(redis_done_fn fn, void *ctx, int64_t deadline_ms);
void redis_request_free(struct redis_request *request);

void redis_requests_push(struct redis_request_list *list, struct redis_request *request);
struct redis_request *redis_requests_pop(
	struct redis_request_list *list); /* NULL when it is empty */
void redis_requests_clear(struct redis_request_list *list);
void redis_requests_forget(struct redis_request_list *list, const void *ctx);
/* The one whose deadline comes first, or NULL. */
const struct redis_request *redis_requests_most_urgent(const struct redis_request_list *list);

/* Each replaces what is in out. */
void redis_format_command(struct strbuf *out, int argc, const struct strview *argv);
/* The first try of a script; notes in request what the second one needs. */
void redis_format_evalsha(struct strbuf *out, struct redis_request *request,
	struct redis_script *script, int n_keys, int argc, const struct strview *argv);
/* The second try, with the source. */
void redis_format_eval(struct strbuf *out, const struct redis_request *request);

#endif
