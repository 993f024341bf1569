/*
 * What customers write to sandbox numbers: the api puts it into sandbox.inbound, and one query for
 * all connected lines of this process looks there every SANDBOX_INBOX_POLL_MS. The table is empty
 * but for what was not acknowledged yet, so this is a look at a page or two. Nothing is skipped for
 * having committed late: what is there and was not offered is offered.
 */
#ifndef WA_GATEWAY_SANDBOX_INBOX_H
#define WA_GATEWAY_SANDBOX_INBOX_H

#include <stdint.h>

struct sandbox;
struct sandbox_line;
struct sandbox_inbox;

#define SANDBOX_INBOX_POLL_MS 250

struct sandbox_inbox *sandbox_inbox_new(struct sandbox *sandbox);
void sandbox_inbox_free(struct sandbox_inbox **inbox);
void sandbox_inbox_wake(struct sandbox_inbox *inbox); /* a line was connected */
void sandbox_inbox_acknowledge(struct sandbox_inbox *inbox, int64_t id);
void sandbox_inbox_flush(struct sandbox_inbox *inbox);
/* Forget what was offered on a line: it is offered again when that is opened anew. */
void sandbox_inbox_forget(struct sandbox_line *line);

#endif
