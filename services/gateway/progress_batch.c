/* Facts by message, in the order in which the first word of each came. */
#include "services/gateway/progress_batch.h"

#include <string.h>

#include "common/base/check.h"
#include "common/base/mem.h"

struct progress_batch {
	struct progress_facts facts;
	struct keyed *by_wa;
};

struct progress_batch *progress_batch_new(void)
{
	struct progress_batch *batch = mem_new(struct progress_batch);
	TAILQ_INIT(&batch->facts);
	batch->by_wa = keyed_new();
	return batch;
}

static void fact_remove(struct progress_batch *batch, struct progress_fact *fact)
{
	TAILQ_REMOVE(&batch->facts, fact, link);
	keyed_remove(batch->by_wa, &fact->node);
}

void progress_batch_free(struct progress_batch **batch)
{
	if (*batch == NULL)
		return;
	struct progress_fact *fact;
	while ((fact = TAILQ_FIRST(&(*batch)->facts)) != NULL) {
		TAILQ_REMOVE(&(*batch)->facts, fact, link);
		mem_free(fact);
	}
	keyed_free(&(*batch)->by_wa);
	mem_free(*batch);
	*batch = NULL;
}

static struct progress_fact *fact_find(
	const struct progress_batch *batch, int32_t session_id, struct strview wa_message_id)
{
	struct keyed_node *node = keyed_find(batch->by_wa, session_id, wa_message_id);
	return node != NULL ? container_of(node, struct progress_fact, node) : NULL;
}

static struct progress_fact *fact_new(struct progress_batch *batch, int32_t session_id,
	int64_t session_epoch, struct strview wa_message_id)
{
	struct progress_fact *fact = mem_zalloc(sizeof(*fact) + wa_message_id.len + 1);
	memcpy(fact->wa_message_id, wa_message_id.ptr, wa_message_id.len);
	fact->session_epoch = session_epoch;
	for (int level = 0; level < PROGRESS_LEVELS; level++)
		fact->at[level] = INT64_MIN;
	TAILQ_INSERT_TAIL(&batch->facts, fact, link);
	keyed_insert(batch->by_wa, &fact->node, session_id,
		sv_make(fact->wa_message_id, wa_message_id.len));
	return fact;
}

static void fact_add_token(struct progress_fact *fact, int64_t token)
{
	if (token == PROGRESS_NO_TOKEN || fact->n_tokens == PROGRESS_MAX_TOKENS)
		return;
	for (int i = 0; i < fact->n_tokens; i++) {
		if (fact->tokens[i] == token)
			return;
	}
	fact->tokens[fact->n_tokens++] = token;
}

void progress_batch_add(struct progress_batch *batch, int32_t session_id, int64_t session_epoch,
	struct strview wa_message_id, enum progress_level level, int64_t at_ms, int64_t token)
{
	ASSERT(level >= PROGRESS_SENT && level <= PROGRESS_READ);
	struct progress_fact *fact = fact_find(batch, session_id, wa_message_id);
	if (fact != NULL && fact->session_epoch != session_epoch) {
		fact_remove(batch, fact);
		mem_free(fact);
		fact = NULL;
	}
	if (fact == NULL)
		fact = fact_new(batch, session_id, session_epoch, wa_message_id);
	if (fact->at[level] == INT64_MIN)
		fact->at[level] = at_ms;
	fact_add_token(fact, token);
}

int progress_batch_count(const struct progress_batch *batch)
{
	return keyed_count(batch->by_wa);
}

const struct progress_facts *progress_batch_facts(const struct progress_batch *batch)
{
	return &batch->facts;
}

struct progress_batch *progress_batch_cut(struct progress_batch *batch, int max)
{
	struct progress_batch *front = progress_batch_new();
	struct progress_fact *fact;
	for (int i = 0; i < max && (fact = TAILQ_FIRST(&batch->facts)) != NULL; i++) {
		int32_t session_id = fact->node.scope;
		struct strview key = fact->node.key;
		fact_remove(batch, fact);
		TAILQ_INSERT_TAIL(&front->facts, fact, link);
		keyed_insert(front->by_wa, &fact->node, session_id, key);
	}
	return front;
}

bool progress_batch_has_session(const struct progress_batch *batch, int32_t session_id)
{
	const struct progress_fact *fact;
	TAILQ_FOREACH(fact, &batch->facts, link)
	{
		if (fact->node.scope == session_id)
			return true;
	}
	return false;
}

void progress_batch_drop_session(struct progress_batch *batch, int32_t session_id)
{
	struct progress_fact *next;
	for (struct progress_fact *fact = TAILQ_FIRST(&batch->facts); fact != NULL; fact = next) {
		next = TAILQ_NEXT(fact, link);
		if (fact->node.scope != session_id)
			continue;
		fact_remove(batch, fact);
		mem_free(fact);
	}
}
