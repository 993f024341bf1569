/*
 * Media of outgoing messages: fetched once, soon after acceptance (signed URLs expire), by the
 * gateway that owns the session. The api sets media_wanted when it accepts one; once a second a
 * bounded query finds what is wanted. A message whose media cannot be had fails before it is ever
 * sent. Incoming media uses the same client.
 */
#ifndef WA_GATEWAY_MEDIA_H
#define WA_GATEWAY_MEDIA_H

#include "common/base/err.h"
#include "services/gateway/media_fetch.h"

struct gateway;
struct media;

struct media *media_new(
	struct gateway *gateway, struct err *err); /* NULL with err on a bad setting */
void media_free(struct media **media);
void media_hurry(
	struct media *media); /* a dispatch came for a message whose media is not here: look now */
/* Fetch a file with the limits of the settings. */
struct media_fetch *media_fetch(
	struct media *media, struct strview url, media_fetch_fn fn, void *ctx);

#endif
