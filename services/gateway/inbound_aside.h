/*
 * What came, as JSON, while it is set aside: the parts of an engine's incoming message that the
 * product keeps. Its keys are not among them: they were committed when it was set aside. Pure.
 */
#ifndef WA_GATEWAY_INBOUND_ASIDE_H
#define WA_GATEWAY_INBOUND_ASIDE_H

#include "common/base/attr.h"
#include "common/base/err.h"
#include "common/base/pool.h"
#include "common/base/strbuf.h"
#include "services/gateway/gateway_store_inbound.h"

void inbound_aside_format(const struct gateway_inbound *inbound, struct strbuf *out);
/* As an engine would offer it, without a token; texts live in pool. -1 with err: it is none. */
int inbound_aside_parse(struct strview text, struct pool *pool, struct engine_inbound *ret_message,
	struct err *err) MUST_CHECK;

#endif
