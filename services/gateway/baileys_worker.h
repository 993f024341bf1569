/*
 * The Node process that speaks WhatsApp: started, watched, ended, started again; and the frames to
 * and from it. It lives as long as this process does: it ends when its end of the socket pair does,
 * and the kernel kills it with us. States are drawn in docs/engine-baileys.md.
 */
#ifndef WA_GATEWAY_BAILEYS_WORKER_H
#define WA_GATEWAY_BAILEYS_WORKER_H

#include <stdbool.h>

#include "common/daemon/metrics.h"
#include "common/daemon/settings.h"
#include "common/io/loop.h"
#include "services/gateway/baileys_frame.h"

struct baileys_worker;

/* None is called from within a call into this module. */
struct baileys_worker_events {
	void (*on_up)(void *ctx);   /* it has said `ready`: frames may be sent */
	void (*on_down)(void *ctx); /* after on_up: all that it had is gone */
	/* While up; READY, HEARTBEAT and FATAL are the module's own. pool holds the frame's arrays
	 * and is gone afterwards, as all its texts. */
	void (*on_frame)(void *ctx, const struct baileys_frame *frame);
};

struct baileys_worker *baileys_worker_new(struct loop *loop, const struct settings *settings,
	struct metrics *metrics, const struct baileys_worker_events *events, void *ctx);
void baileys_worker_free(struct baileys_worker **worker); /* kills it */
/* Begin, if not yet: the first session is to be opened. */
void baileys_worker_want(struct baileys_worker *worker);
bool baileys_worker_is_up(const struct baileys_worker *worker);
/* Send whole frames. Only while up. */
void baileys_worker_send(struct baileys_worker *worker, struct strview frames);
/* Bytes that it has not taken yet. */
size_t baileys_worker_unsent_bytes(const struct baileys_worker *worker);
/* Read no frames for now: too much waits for Postgres. */
void baileys_worker_pause(struct baileys_worker *worker, bool is_paused);
/* It broke the protocol: end it. For on_frame(): on_down() comes before this returns. */
void baileys_worker_refuse(struct baileys_worker *worker, const char *why);

#endif
