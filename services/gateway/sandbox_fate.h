/* What becomes of a message to a sandbox phone: the last four digits of its number decide, whatever
 * the country. Pure. */
#ifndef WA_GATEWAY_SANDBOX_FATE_H
#define WA_GATEWAY_SANDBOX_FATE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/strview.h"

enum sandbox_fate {
	SANDBOX_FATE_READ,            /* any other: sent, delivered, read */
	SANDBOX_FATE_NOT_ON_WHATSAPP, /* 0001 */
	SANDBOX_FATE_FAILS_TWICE,     /* 0002: then sent, delivered, read */
	SANDBOX_FATE_FAILS_ALWAYS,    /* 0003 */
	SANDBOX_FATE_NOT_DELIVERED,   /* 0004: sent */
	SANDBOX_FATE_ACK_LOST,        /* 0005: taken without a word; a second copy is read */
};

#define SANDBOX_TRIES_OF_FAILS_TWICE 2

enum sandbox_fate sandbox_fate_of(struct strview phone);
/* Once the ledger has taken it for the copies-th time: is that acknowledged, and do receipts
 * follow? */
bool sandbox_fate_is_acked(enum sandbox_fate fate, int64_t copies);
bool sandbox_fate_has_receipts(enum sandbox_fate fate, int64_t copies);

#endif
