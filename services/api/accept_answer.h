/* The answers of POST /messages/send. Each ends the item's call, and the item with it. */
#ifndef WA_API_ACCEPT_ANSWER_H
#define WA_API_ACCEPT_ANSWER_H

#include "services/api/accept_item.h"

/* 202: it was written just now. */
void accept_answer_written(struct accept_item *item, int64_t queue_seq);
/* Does the explanation say anything? If not, the contact or the session are not
 * what they were. */
bool accept_answer_is_known(const struct store_explanation *explanation);
/* What it says: 202, 200 (`once`) or 422. */
void accept_answer_explained(struct accept_item *item, const struct store_explanation *explanation);
/* Postgres cannot be reached: 503, and whether anything may have happened. */
void accept_answer_unavailable(struct accept_item *item);

#endif
