/* A list of copies; the first is being worked on. */
#include "services/gateway/dispatch_suspects.h"

#include <stdio.h>
#include <string.h>
#include <sys/queue.h>

#include "common/base/check.h"
#include "common/base/log.h"
#include "common/base/mem.h"

#define TRIES_ALONE    2
#define RETRY_MS       500
#define TRY_TIMEOUT_MS 30000 /* a try that nobody ended: the entry stays unacknowledged */
#define DEADLINE_MS    2000
#define COUNT_TTL_S    "86400"
#define KEY_SIZE       128

struct suspect {
	TAILQ_ENTRY(suspect) link;
	int tag;
	int deliveries;
	size_t payload_len;
	char stream[64];
	char id[48];
	char payload[];
};

enum suspects_state {
	SUSPECTS_RESTING,  /* nothing to do, or waiting to try again */
	SUSPECTS_COUNTING, /* the first one's try is being counted: a death from then on is its own
			    */
	SUSPECTS_TRYING,   /* it was taken in */
};

struct dispatch_suspects {
	struct redis_conn *redis;
	struct dispatch_suspects_events events;
	void *ctx;
	TAILQ_HEAD(, suspect) list;
	enum suspects_state state;
	struct loop_timer *timer;
};

static void suspects_set_state(struct dispatch_suspects *suspects, enum suspects_state state)
{
	ASSERT(state == SUSPECTS_RESTING || suspects->state == state - 1);
	suspects->state = state;
}

static void drop_first(struct dispatch_suspects *suspects)
{
	struct suspect *first = TAILQ_FIRST(&suspects->list);
	TAILQ_REMOVE(&suspects->list, first, link);
	mem_free(first);
	suspects_set_state(suspects, SUSPECTS_RESTING);
	loop_timer_arm(suspects->timer, 0);
}

static struct stream_entry entry_of(const struct suspect *suspect)
{
	return (struct stream_entry){
		.stream = suspect->stream,
		.tag = suspect->tag,
		.id = suspect->id,
		.payload = sv_make(suspect->payload, suspect->payload_len),
		.deliveries = suspect->deliveries,
	};
}

static void key_of(const struct suspect *suspect, char ret_key[KEY_SIZE])
{
	(void)snprintf(ret_key, KEY_SIZE, "alone.%s.%s", suspect->stream, suspect->id);
}

static void on_counted(void *ctx, enum redis_status status, const struct redis_reply *reply)
{
	struct dispatch_suspects *suspects = ctx;
	const struct suspect *first = TAILQ_FIRST(&suspects->list);
	struct stream_entry entry = entry_of(first);
	if (status != REDIS_OK) {
		suspects_set_state(suspects, SUSPECTS_RESTING);
		loop_timer_arm(suspects->timer, RETRY_MS);
		return;
	}
	if (redis_reply_int(reply) > TRIES_ALONE) {
		suspects->events.set_aside(suspects->ctx, &entry,
			"its reader died of it twice while it was taken in alone");
		drop_first(suspects);
		return;
	}
	suspects_set_state(suspects, SUSPECTS_TRYING);
	loop_timer_arm(suspects->timer, TRY_TIMEOUT_MS);
	suspects->events.take(suspects->ctx, &entry);
}

static void count(struct dispatch_suspects *suspects)
{
	char key[KEY_SIZE];
	key_of(TAILQ_FIRST(&suspects->list), key);
	struct strview incr[] = {SV_LIT("INCR"), sv_from(key)};
	struct strview expire[] = {SV_LIT("EXPIRE"), sv_from(key), SV_LIT(COUNT_TTL_S)};
	suspects_set_state(suspects, SUSPECTS_COUNTING);
	redis_conn_command(
		suspects->redis, (int)array_len(incr), incr, DEADLINE_MS, on_counted, suspects);
	redis_conn_command(
		suspects->redis, (int)array_len(expire), expire, DEADLINE_MS, NULL, NULL);
}

static void on_timer(void *ctx)
{
	struct dispatch_suspects *suspects = ctx;
	if (suspects->state == SUSPECTS_TRYING)
		drop_first(suspects);
	else if (suspects->state == SUSPECTS_RESTING && !TAILQ_EMPTY(&suspects->list))
		count(suspects);
}

struct dispatch_suspects *dispatch_suspects_new(struct loop *loop, struct redis_conn *redis,
	const struct dispatch_suspects_events *events, void *ctx)
{
	struct dispatch_suspects *suspects = mem_new(struct dispatch_suspects);
	suspects->redis = redis;
	suspects->events = *events;
	suspects->ctx = ctx;
	TAILQ_INIT(&suspects->list);
	suspects->timer = loop_timer_new(loop, "dispatch_suspects", on_timer, suspects);
	return suspects;
}

void dispatch_suspects_free(struct dispatch_suspects **suspects)
{
	if (*suspects == NULL)
		return;
	redis_conn_forget((*suspects)->redis, *suspects);
	struct suspect *suspect;
	while ((suspect = TAILQ_FIRST(&(*suspects)->list)) != NULL) {
		TAILQ_REMOVE(&(*suspects)->list, suspect, link);
		mem_free(suspect);
	}
	loop_timer_free(&(*suspects)->timer);
	mem_free(*suspects);
	*suspects = NULL;
}

void dispatch_suspects_add(struct dispatch_suspects *suspects, const struct stream_entry *entry)
{
	log_warn("entry_suspect", log_text("stream", entry->stream), log_text("entry", entry->id),
		log_int("deliveries", entry->deliveries));
	struct suspect *suspect = mem_zalloc(sizeof(*suspect) + entry->payload.len + 1);
	suspect->tag = entry->tag;
	suspect->deliveries = entry->deliveries;
	(void)snprintf(suspect->stream, sizeof(suspect->stream), "%s", entry->stream);
	(void)snprintf(suspect->id, sizeof(suspect->id), "%s", entry->id);
	suspect->payload_len = entry->payload.len;
	if (entry->payload.len > 0)
		memcpy(suspect->payload, entry->payload.ptr, entry->payload.len);
	TAILQ_INSERT_TAIL(&suspects->list, suspect, link);
	if (suspects->state == SUSPECTS_RESTING && !loop_timer_is_armed(suspects->timer))
		loop_timer_arm(suspects->timer, 0);
}

void dispatch_suspects_acked(struct dispatch_suspects *suspects, int tag, const char *entry_id)
{
	const struct suspect *first = TAILQ_FIRST(&suspects->list);
	if (suspects->state != SUSPECTS_TRYING || first->tag != tag ||
		strcmp(first->id, entry_id) != 0)
		return;
	char key[KEY_SIZE];
	key_of(first, key);
	struct strview del[] = {SV_LIT("DEL"), sv_from(key)};
	redis_conn_command(suspects->redis, (int)array_len(del), del, DEADLINE_MS, NULL, NULL);
	drop_first(suspects);
}

void dispatch_suspects_drop(struct dispatch_suspects *suspects, int tag)
{
	struct suspect *next;
	for (struct suspect *suspect = TAILQ_FIRST(&suspects->list); suspect != NULL;
		suspect = next) {
		next = TAILQ_NEXT(suspect, link);
		if (suspect->tag != tag)
			continue;
		if (suspect == TAILQ_FIRST(&suspects->list) &&
			suspects->state != SUSPECTS_RESTING) {
			redis_conn_forget(suspects->redis, suspects); /* the count's answer */
			drop_first(suspects);
		} else {
			TAILQ_REMOVE(&suspects->list, suspect, link);
			mem_free(suspect);
		}
	}
}
