/*
 * What a sandbox phone will say about the messages that the ledger has taken, each in its time:
 * acknowledged, delivered, read. Held until the gateway has acknowledged the receipts.
 */
#ifndef WA_GATEWAY_SANDBOX_RECEIPTS_H
#define WA_GATEWAY_SANDBOX_RECEIPTS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/strview.h"

struct sandbox;
struct sandbox_line;
struct sandbox_receipts; /* of one line */
struct sandbox_acks;     /* of all: what the ledger is to be told */

/* Tokens that the engine gives out: a number and what it stands for. */
enum sandbox_token_kind { SANDBOX_TOKEN_DELIVERED, SANDBOX_TOKEN_READ, SANDBOX_TOKEN_INBOUND };
int64_t sandbox_token(int64_t number, enum sandbox_token_kind kind);
enum sandbox_token_kind sandbox_token_kind(int64_t token);
int64_t sandbox_token_number(int64_t token);

struct sandbox_receipts *sandbox_receipts_new(struct sandbox_line *line);
void sandbox_receipts_free(struct sandbox_receipts **receipts);
/* The ledger has just taken it: acknowledge it, and say delivered and read later when has_receipts.
 * May call back at once. */
void sandbox_receipts_taken(
	struct sandbox_receipts *receipts, struct strview wa_message_id, bool has_receipts);
/* It was taken before this line was opened, and its receipts above level (0 none, 1 delivered) are
 * pending. Oldest first. */
void sandbox_receipts_pending(struct sandbox_receipts *receipts, struct strview wa_message_id,
	int64_t received_at_ms, int level);
void sandbox_receipts_acknowledge(struct sandbox_receipts *receipts, int64_t token);
bool sandbox_receipts_are_full(const struct sandbox_receipts *receipts);

struct sandbox_acks *sandbox_acks_new(struct sandbox *sandbox);
void sandbox_acks_free(struct sandbox_acks **acks);
void sandbox_acks_flush(struct sandbox_acks *acks);

#endif
