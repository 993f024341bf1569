/* A queue of copies of entries; the first is being worked on. */
#include "services/sender/suspects.h"

#include <stdio.h>
#include <sys/queue.h>

#include "common/base/attr.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/model/id.h"
#include "common/model/stream_codec.h"
#include "services/sender/partitions.h"

#define TRIES_ALONE  2
#define MANY         64 /* so many that wait stop the reading, whatever they are */
#define RETRY_MS     500
#define DEADLINE_MS  2000
#define COUNT_TTL_MS "86400000"

TAILQ_HEAD(suspect_list, suspect);

struct suspect {
	TAILQ_ENTRY(suspect) in_list;
	bool is_dropped; /* its stream went while it was worked on */
	bool is_to_try;  /* it came to be tried alone */
	int tag;
	char set_aside_id[ID_SIZE]; /* the same for every try to write the row */
	char stream[64];
	char id[48];
	char reason[320]; /* not empty: to be set aside */
	char *payload;    /* owned */
	size_t payload_len;
};

/* What is done about the first of the list. */
enum suspects_state {
	SUSPECTS_RESTING,  /* nothing, or waiting for the timer */
	SUSPECTS_COUNTING, /* its try is being counted in Redis; a death from then on is its own */
	SUSPECTS_FILING,   /* its set_aside row is being written */
};

struct suspects {
	struct redis_conn *redis;
	struct sender_store *store;
	struct stream_reader *reader;
	struct loop_timer *timer;
	struct suspects_events events;
	void *ctx;
	struct suspect_list list;
	enum suspects_state state;
	int n;
	int n_to_try;
	int64_t n_set_aside;
};

static void work(void *ctx);

struct suspects *suspects_new(struct loop *loop, struct redis_conn *redis,
	struct sender_store *store, const struct suspects_events *events, void *ctx)
{
	struct suspects *suspects = mem_new(struct suspects);
	suspects->redis = redis;
	suspects->store = store;
	suspects->events = *events;
	suspects->ctx = ctx;
	TAILQ_INIT(&suspects->list);
	suspects->timer = loop_timer_new(loop, "suspects", work, suspects);
	return suspects;
}

void suspects_set_reader(struct suspects *suspects, struct stream_reader *reader)
{
	suspects->reader = reader;
}

/* What only has to be written down holds up nobody, unless there is much of it. */
static void pause_or_not(struct suspects *suspects)
{
	stream_reader_pause(suspects->reader, suspects->n_to_try > 0 || suspects->n >= MANY);
}

static void take_out(struct suspects *suspects, struct suspect *suspect)
{
	TAILQ_REMOVE(&suspects->list, suspect, in_list);
	suspects->n--;
	suspects->n_to_try -= suspect->is_to_try;
	mem_free(suspect->payload);
	mem_free(suspect);
	pause_or_not(suspects);
}

void suspects_free(struct suspects **suspects)
{
	if (*suspects == NULL) {
		return;
	}
	redis_conn_forget((*suspects)->redis, *suspects);
	while (!TAILQ_EMPTY(&(*suspects)->list)) {
		take_out(*suspects, TAILQ_FIRST(&(*suspects)->list));
	}
	loop_timer_free(&(*suspects)->timer);
	mem_free(*suspects);
	*suspects = NULL;
}

static void add(struct suspects *suspects, const struct stream_entry *entry, const char *reason)
{
	struct suspect *suspect = mem_new(struct suspect);
	size_t len = entry->payload.len;
	suspect->is_to_try = reason[0] == '\0';
	if (!suspect->is_to_try && len > STREAM_SET_ASIDE_MAX_BYTES) {
		len = STREAM_SET_ASIDE_MAX_BYTES;
	}
	suspect->tag = entry->tag;
	suspect->payload = mem_strndup(entry->payload.ptr != NULL ? entry->payload.ptr : "", len);
	suspect->payload_len = len;
	id_new("sa", clock_wall_ms(), suspect->set_aside_id);
	(void)snprintf(suspect->stream, sizeof(suspect->stream), "%s", entry->stream);
	(void)snprintf(suspect->id, sizeof(suspect->id), "%s", entry->id);
	(void)snprintf(suspect->reason, sizeof(suspect->reason), "%s", reason);
	TAILQ_INSERT_TAIL(&suspects->list, suspect, in_list);
	suspects->n++;
	suspects->n_to_try += suspect->is_to_try;
	pause_or_not(suspects);
	if (suspects->state == SUSPECTS_RESTING && !loop_timer_is_armed(suspects->timer)) {
		loop_timer_arm(suspects->timer, 0);
	}
}

void suspects_add(struct suspects *suspects, const struct stream_entry *entry)
{
	log_warn("entry_suspect", log_text("stream", entry->stream), log_text("entry", entry->id),
		log_int("deliveries", entry->deliveries));
	add(suspects, entry, "");
}

void suspects_set_aside(
	struct suspects *suspects, const struct stream_entry *entry, const char *reason)
{
	add(suspects, entry, reason);
}

void suspects_drop(struct suspects *suspects, int tag)
{
	struct suspect *next;
	for (struct suspect *s = TAILQ_FIRST(&suspects->list); s != NULL; s = next) {
		next = TAILQ_NEXT(s, in_list);
		bool is_worked_on =
			s == TAILQ_FIRST(&suspects->list) && suspects->state != SUSPECTS_RESTING;
		if (s->tag == tag && is_worked_on) {
			s->is_dropped = true;
		} else if (s->tag == tag) {
			take_out(suspects, s);
		}
	}
}

int suspects_count(const struct suspects *suspects)
{
	return suspects->n;
}

int64_t suspects_set_aside_count(const struct suspects *suspects)
{
	return suspects->n_set_aside;
}

/* The first is through: acknowledge it. The next one's turn comes when that has been sent. */
static void finish(struct suspects *suspects, struct suspect *suspect)
{
	if (!suspect->is_dropped) {
		stream_reader_ack(suspects->reader, suspect->stream, suspect->id);
	}
	take_out(suspects, suspect);
	loop_timer_arm(suspects->timer, 0);
}

static void on_filed(void *ctx, enum pg_status status, const struct err *err)
{
	struct suspects *suspects = ctx;
	struct suspect *suspect = TAILQ_FIRST(&suspects->list);
	suspects->state = SUSPECTS_RESTING;
	if (status != PG_OK && !suspect->is_dropped) {
		log_warn("entry_set_aside", log_text("stream", suspect->stream),
			log_text("entry", suspect->id), log_text("status", pg_status_name(status)),
			log_err(err));
		loop_timer_arm(suspects->timer, RETRY_MS);
		return;
	}
	log_error("entry_set_aside", log_text("stream", suspect->stream),
		log_text("entry", suspect->id), log_text("set_aside", suspect->set_aside_id),
		log_text("reason", suspect->reason));
	suspects->n_set_aside++;
	finish(suspects, suspect);
}

static void file(struct suspects *suspects, struct suspect *suspect)
{
	suspects->state = SUSPECTS_FILING;
	sender_store_set_aside(suspects->store, suspect->set_aside_id,
		PARTITIONS_TAG_IS_OUTCOME(suspect->tag) ? "outcome" : "outbound", suspect->stream,
		sv_make(suspect->payload, suspect->payload_len), suspect->reason, on_filed,
		suspects);
}

static void count_key(const struct suspect *suspect, char ret_key[128])
{
	(void)snprintf(ret_key, 128, "alone.%s.%s", suspect->stream, suspect->id);
}

static void forget_count(struct suspects *suspects, const struct suspect *suspect)
{
	char key[128];
	count_key(suspect, key);
	struct strview argv[] = {SV_LIT("DEL"), sv_from(key)};
	redis_conn_command(suspects->redis, (int)array_len(argv), argv, DEADLINE_MS, NULL, NULL);
}

static void try_alone(struct suspects *suspects, struct suspect *suspect)
{
	struct err err = {""};
	if (suspects->events.take(suspects->ctx, suspect->stream, suspect->tag,
		    sv_make(suspect->payload, suspect->payload_len), &err) < 0) {
		(void)snprintf(suspect->reason, sizeof(suspect->reason), "%s", err.text);
		loop_timer_arm(suspects->timer, 0);
		return;
	}
	forget_count(suspects, suspect);
	finish(suspects, suspect);
}

static void on_counted(void *ctx, enum redis_status status, const struct redis_reply *reply)
{
	struct suspects *suspects = ctx;
	struct suspect *suspect = TAILQ_FIRST(&suspects->list);
	suspects->state = SUSPECTS_RESTING;
	if (suspect->is_dropped) {
		finish(suspects, suspect);
	} else if (status != REDIS_OK) {
		loop_timer_arm(suspects->timer, RETRY_MS);
	} else if (redis_reply_int(reply) > TRIES_ALONE) {
		(void)snprintf(suspect->reason, sizeof(suspect->reason),
			"its reader died of it %d times while it was taken in alone", TRIES_ALONE);
		loop_timer_arm(suspects->timer, 0);
	} else {
		try_alone(suspects, suspect);
	}
}

static void count(struct suspects *suspects, const struct suspect *suspect)
{
	char key[128];
	count_key(suspect, key);
	struct strview incr[] = {SV_LIT("INCR"), sv_from(key)};
	struct strview expire[] = {SV_LIT("PEXPIRE"), sv_from(key), SV_LIT(COUNT_TTL_MS)};
	suspects->state = SUSPECTS_COUNTING;
	redis_conn_command(
		suspects->redis, (int)array_len(incr), incr, DEADLINE_MS, on_counted, suspects);
	redis_conn_command(
		suspects->redis, (int)array_len(expire), expire, DEADLINE_MS, NULL, NULL);
}

static void work(void *ctx)
{
	struct suspects *suspects = ctx;
	struct suspect *suspect = TAILQ_FIRST(&suspects->list);
	if (suspect == NULL || suspects->state != SUSPECTS_RESTING) {
		return;
	}
	if (suspect->reason[0] != '\0') {
		file(suspects, suspect);
	} else {
		count(suspects, suspect);
	}
}
