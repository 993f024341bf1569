/* The messages of one conversation, and which moves of its state are legal. */
#include "services/sender/conversation.h"

#include <stdio.h>

#include "common/base/check.h"
#include "common/base/mem.h"

#define TO(state) (1u << CONVERSATION_##state)

static const unsigned moves[CONVERSATION_STATES] = {
	[CONVERSATION_IDLE] = TO(WAITING) | TO(READY) | TO(DISPATCHED),
	[CONVERSATION_WAITING] =
		TO(WAITING) | TO(READY) | TO(DISPATCHED) | TO(REREADING) | TO(IDLE),
	[CONVERSATION_READY] =
		TO(READY) | TO(PACING) | TO(DISPATCHED) | TO(WAITING) | TO(REREADING) | TO(IDLE),
	[CONVERSATION_PACING] =
		TO(DISPATCHED) | TO(HELD) | TO(READY) | TO(WAITING) | TO(REREADING) | TO(IDLE),
	[CONVERSATION_HELD] = TO(READY) | TO(WAITING) | TO(DISPATCHED) | TO(REREADING) | TO(IDLE),
	[CONVERSATION_DISPATCHED] =
		TO(DISPATCHED) | TO(WAITING) | TO(READY) | TO(HELD) | TO(REREADING) | TO(IDLE),
	[CONVERSATION_REREADING] =
		TO(REREADING) | TO(WAITING) | TO(READY) | TO(DISPATCHED) | TO(IDLE),
};

static const char *const names[CONVERSATION_STATES] = {
	"idle", "waiting", "ready", "pacing", "held", "dispatched", "rereading"};

const char *conversation_state_name(enum conversation_state state)
{
	return names[state];
}

bool conversation_may_move(enum conversation_state from, enum conversation_state to)
{
	return (moves[from] & (1u << to)) != 0;
}

struct conversation *conversation_new(int partition, int32_t session_id, struct strview phone)
{
	struct conversation *conversation = mem_new(struct conversation);
	ASSERT(phone.len < sizeof(conversation->phone));
	conversation->partition = partition;
	conversation->session_id = session_id;
	(void)snprintf(conversation->phone, sizeof(conversation->phone), "%.*s", SV_ARG(phone));
	return conversation;
}

void conversation_free(struct conversation **conversation)
{
	if (*conversation == NULL) {
		return;
	}
	ASSERT(!(*conversation)->is_listed && (*conversation)->pins == 0);
	ASSERT(!timer_node_is_set(&(*conversation)->timer));
	while ((*conversation)->first != NULL) {
		conversation_remove(*conversation, (*conversation)->first);
	}
	mem_free(*conversation);
	*conversation = NULL;
}

struct queued_message *conversation_find(
	const struct conversation *conversation, struct strview message_id)
{
	for (struct queued_message *m = conversation->first; m != NULL; m = m->next) {
		if (sv_eq_cstr(message_id, m->id)) {
			return m;
		}
	}
	return NULL;
}

/* The message after which queue_seq belongs; NULL: before the first. */
static struct queued_message *place_before(
	const struct conversation *conversation, int64_t queue_seq)
{
	struct queued_message *before = NULL;
	if (conversation->last != NULL && conversation->last->queue_seq < queue_seq) {
		return conversation->last; /* nearly always */
	}
	for (struct queued_message *m = conversation->first; m != NULL && m->queue_seq < queue_seq;
		m = m->next) {
		before = m;
	}
	return before;
}

bool conversation_insert(struct conversation *conversation, struct queued_message *message)
{
	struct queued_message *before = place_before(conversation, message->queue_seq);
	struct queued_message **link = before != NULL ? &before->next : &conversation->first;
	if ((*link != NULL && (*link)->queue_seq == message->queue_seq) ||
		conversation_find(conversation, sv_from(message->id)) != NULL) {
		mem_free(message);
		return false;
	}
	message->next = *link;
	*link = message;
	if (message->next == NULL) {
		conversation->last = message;
	}
	conversation->n_messages++;
	return true;
}

void conversation_remove(struct conversation *conversation, struct queued_message *message)
{
	struct queued_message *before = NULL;
	struct queued_message **link = &conversation->first;
	while (*link != message) {
		ASSERT(*link != NULL);
		before = *link;
		link = &before->next;
	}
	*link = message->next;
	if (conversation->last == message) {
		conversation->last = before;
	}
	if (conversation->tried == message) {
		conversation->tried = NULL;
	}
	conversation->n_messages--;
	mem_free(message);
}
