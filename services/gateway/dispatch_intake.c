/* One stream reader for all sessions; entries that cannot be understood are set aside one by one.
 */
#include "services/gateway/dispatch_intake.h"

#include <stdio.h>
#include <sys/queue.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/io/stream_reader.h"
#include "common/model/id.h"
#include "common/model/stream_codec.h"
#include "services/gateway/claim.h"
#include "services/gateway/dispatch_suspects.h"
#include "services/gateway/gateway.h"
#include "services/gateway/gateway_store_claim.h"
#include "services/gateway/session_set.h"

#define GROUP       "gateway"
#define MAX_UNACKED 2048

#define ENTRY_ID_SIZE 48

struct dispatch_intake {
	struct gateway *gateway;
	struct stream_reader *reader;
	struct dispatch_suspects *suspects;
	struct health_part *health;
	struct pool *pool; /* of the entry being decoded */
	TAILQ_HEAD(, aside) asides;
};

struct aside { /* an entry on its way to set_aside */
	TAILQ_ENTRY(aside) link;
	struct dispatch_intake *intake;
	int32_t session_id;
	char entry_id[ENTRY_ID_SIZE];
};

static void aside_free(struct aside *aside)
{
	TAILQ_REMOVE(&aside->intake->asides, aside, link);
	mem_free(aside);
}

static void on_aside(void *ctx, const struct pg_result *result)
{
	struct aside *aside = ctx;
	if (pg_status(result) == PG_OK) {
		metric_add(aside->intake->gateway->stats.set_aside, 1);
		dispatch_intake_ack(aside->intake, aside->session_id, aside->entry_id);
	} else { /* it stays in the stream: the session's next owner meets it again */
		log_error("entry_set_aside_failed", log_int("session", aside->session_id),
			log_text("entry", aside->entry_id), log_err(pg_err(result)));
	}
	aside_free(aside);
}

/* A long one is cut: what is kept is for people to look at. */
static struct strview kept_of(struct strview payload)
{
	return payload.len <= STREAM_SET_ASIDE_MAX_BYTES
		       ? payload
		       : sv_make(payload.ptr, STREAM_SET_ASIDE_MAX_BYTES);
}

static void set_aside(
	struct dispatch_intake *intake, const struct stream_entry *entry, const char *reason)
{
	char set_aside_id[ID_SIZE];
	id_new("sa", clock_wall_ms(), set_aside_id);
	log_warn("entry_set_aside", log_text("stream", entry->stream), log_text("entry", entry->id),
		log_text("set_aside", set_aside_id), log_text("reason", reason));
	struct aside *aside = mem_new(struct aside);
	aside->intake = intake;
	aside->session_id = entry->tag;
	(void)snprintf(aside->entry_id, ENTRY_ID_SIZE, "%s", entry->id);
	TAILQ_INSERT_TAIL(&intake->asides, aside, link);
	gateway_store_set_aside_entry(intake->gateway->session_conn, set_aside_id, entry->stream,
		kept_of(entry->payload), reason, on_aside, aside);
}

static void set_aside_suspect(void *ctx, const struct stream_entry *entry, const char *reason)
{
	set_aside(ctx, entry, reason);
}

/* is_suspect: it is to be claimed alone. */
static void take(struct dispatch_intake *intake, const struct stream_entry *entry, bool is_suspect)
{
	struct err err = {{0}};
	struct dispatch_entry dispatch;
	const struct session *session = session_set_find(intake->gateway->sessions, entry->tag);
	if (session == NULL || !session_may_claim(session))
		return; /* unacknowledged: the next owner gets it */
	pool_reset(intake->pool);
	if (dispatch_entry_decode(entry->payload, intake->pool, &dispatch, &err) < 0)
		set_aside(intake, entry, err.text);
	else if (!id_is("msg", dispatch.message_id))
		set_aside(intake, entry, "no message id");
	else
		claim_push(intake->gateway->claim, session->id, session->epoch, &dispatch,
			entry->id, is_suspect);
}

static void take_suspect(void *ctx, const struct stream_entry *entry)
{
	take(ctx, entry, true);
}

static void on_entry(void *ctx, const struct stream_entry *entry)
{
	struct dispatch_intake *intake = ctx;
	if (entry->deliveries >= DISPATCH_SUSPECT_DELIVERIES)
		dispatch_suspects_add(intake->suspects, entry);
	else
		take(intake, entry, false);
}

static void on_change(void *ctx, bool up, const struct err *err)
{
	struct dispatch_intake *intake = ctx;
	health_part_set(intake->health, up, err);
}

struct dispatch_intake *dispatch_intake_new(struct gateway *gateway, struct err *err)
{
	static const struct dispatch_suspects_events suspects_events = {
		.take = take_suspect, .set_aside = set_aside_suspect};
	static const struct stream_reader_events events = {
		.on_entry = on_entry, .on_change = on_change};
	struct dispatch_intake *intake = mem_new(struct dispatch_intake);
	intake->gateway = gateway;
	TAILQ_INIT(&intake->asides);
	intake->health = health_part_new(daemon_health(gateway->daemon), "redis_reader");
	intake->pool = pool_new();
	intake->suspects =
		dispatch_suspects_new(gateway->loop, gateway->redis, &suspects_events, intake);
	struct stream_reader_options options = {
		.redis_url = setting_text(daemon_settings(gateway->daemon), SETTING_REDIS_URL),
		.group = GROUP,
		.max_unacked = MAX_UNACKED,
	};
	intake->reader = stream_reader_new(gateway->loop, &options, &events, intake, err);
	if (intake->reader == NULL)
		dispatch_intake_free(&intake);
	return intake;
}

void dispatch_intake_free(struct dispatch_intake **intake)
{
	if (*intake == NULL)
		return;
	struct aside *aside;
	while ((aside = TAILQ_FIRST(&(*intake)->asides)) != NULL) {
		pg_conn_forget((*intake)->gateway->session_conn, aside);
		aside_free(aside);
	}
	dispatch_suspects_free(&(*intake)->suspects);
	stream_reader_free(&(*intake)->reader);
	pool_free(&(*intake)->pool);
	mem_free(*intake);
	*intake = NULL;
}

void dispatch_intake_add(struct dispatch_intake *intake, int32_t session_id)
{
	char stream[STREAM_NAME_SIZE];
	stream_name_dispatch(session_id, stream);
	stream_reader_add(intake->reader, stream, session_id);
}

void dispatch_intake_remove(struct dispatch_intake *intake, int32_t session_id)
{
	char stream[STREAM_NAME_SIZE];
	stream_name_dispatch(session_id, stream);
	dispatch_suspects_drop(intake->suspects, session_id);
	stream_reader_remove(intake->reader, stream);
}

void dispatch_intake_ack(struct dispatch_intake *intake, int32_t session_id, const char *entry_id)
{
	char stream[STREAM_NAME_SIZE];
	stream_name_dispatch(session_id, stream);
	stream_reader_ack(intake->reader, stream, entry_id);
	dispatch_suspects_acked(intake->suspects, session_id, entry_id);
}

void dispatch_intake_pause(struct dispatch_intake *intake, bool paused)
{
	stream_reader_pause(intake->reader, paused);
}
