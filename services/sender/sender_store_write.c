/* What the sender changes: scheduled messages join the queue, late ones expire, bad entries are set
   aside. */
#include "common/model/event_type.h"
#include "common/model/message.h"
#include "services/sender/sender_store.h"
#include "services/sender/sender_store_internal.h"

/*
 * The partitions that are still ours, their leases locked until commit: a take-over (FOR UPDATE)
 * waits, renewals pass. $1 ids, $2 epochs, $3 owner.
 */
#define WITH_MINE                                                                                  \
	"WITH mine AS MATERIALIZED (SELECT l.id FROM leases l"                                     \
	" JOIN unnest($1::int4[], $2::int8[]) AS o(id, epoch)"                                     \
	"  ON l.id = o.id AND l.epoch = o.epoch"                                                   \
	" WHERE l.kind = 'partition' AND l.owner = $3::text AND l.expires_at > now()"              \
	" ORDER BY l.id FOR KEY SHARE OF l), "

/* Of the few rows that time has come for, which have indexes of their own (messages_due,
 * messages_late). Said without a sum, and without the cast of `open`, the planner may take the
 * index of all open messages, and read all of a backlog each second. */
#define IS_MINE "m.partition + 0 IN (SELECT id FROM mine)"

/* Message rows that somebody else has locked (a cancel) are left for the next round. Statuses: 1
   scheduled, 2 queued, 9 expired. $4 how many. */
static const struct pg_stmt queue_due_stmt = {"sender_queue_due", WITH_MINE
	"due AS MATERIALIZED (SELECT m.id, m.due_at FROM messages m"
	" WHERE m.due_at <= now() AND " IS_MINE
	" ORDER BY m.due_at, m.id LIMIT $4::int4 FOR UPDATE SKIP LOCKED), "
	"numbered AS MATERIALIZED (SELECT d.id, nextval('queue_seq') AS seq"
	" FROM (SELECT id FROM due ORDER BY due_at, id) d) "
	"UPDATE messages h SET status = 2, queue_seq = n.seq, queued_at = now(), due_at = NULL "
	"FROM numbered n WHERE h.id = n.id AND h.status = 1 "
	"RETURNING h.partition::int4, h.session_id, h.phone, h.id, h.tenant_id, h.queue_seq,"
	" h.attempts, false, 0::int8"};

/* LIMIT 1, not min(): that may be planned to read all that is scheduled. */
static const struct pg_stmt next_due_stmt = {"sender_next_due",
	"SELECT (extract(epoch FROM least("
	" (SELECT due_at FROM messages WHERE due_at > now() ORDER BY due_at LIMIT 1),"
	" (SELECT valid_until FROM messages WHERE open::int = 1 AND valid_until > now()"
	"  ORDER BY valid_until LIMIT 1)) - now())"
	" * 1000)::int8"};

/* `sending` is never expired: the message may have gone out. $4 how many, $5 event type, $6 error,
   $7 error code. */
static const struct pg_stmt expire_stmt = {"sender_expire", WITH_MINE
	"late AS MATERIALIZED (SELECT m.id FROM messages m"
	" WHERE m.open::int = 1 AND m.valid_until <= now() AND m.status IN (1, 2)"
	"  AND " IS_MINE
	" ORDER BY m.valid_until LIMIT $4::int4 FOR UPDATE SKIP LOCKED), "
	"expired AS (UPDATE messages m SET status = 9, open = false, due_at = NULL,"
	"  next_attempt_at = NULL, media_wanted = false, expired_at = now(),"
	"  error = $6::text, error_code = $7::text"
	" FROM late WHERE m.id = late.id AND m.status IN (1, 2)"
	" RETURNING m.id, m.partition, m.session_id, m.phone, m.tenant_id, m.contact_id,"
	"  m.queue_seq, m.expired_at), "
	"placed AS MATERIALIZED (SELECT e.*, row_number() OVER (ORDER BY e.queue_seq, e.id) AS ord"
	" FROM expired e), "
	"emitted AS MATERIALIZED (SELECT x.* FROM (SELECT"
	"   array_agg(tenant_id ORDER BY ord) AS tenants,"
	"   array_agg(contact_id ORDER BY ord) AS contacts,"
	"   array_agg(id ORDER BY ord) AS ids, array_agg($5::int2 ORDER BY ord) AS types,"
	"   array_agg(expired_at ORDER BY ord) AS times,"
	"   array_agg(json_build_object('error', $6::text, 'error_code', $7::text)::text"
	"    ORDER BY ord) AS data FROM placed) a,"
	" emit_events(a.tenants, a.contacts, a.ids, a.types, a.times, a.data) x) "
	"SELECT p.partition::int4, p.session_id, p.phone, p.id, p.tenant_id, p.contact_id,"
	" x.ret_sequence, x.ret_created_at, x.ret_webhook_id "
	"FROM placed p LEFT JOIN emitted x ON x.ret_ord = p.ord ORDER BY p.ord, x.ret_webhook_id"};

static const struct pg_stmt set_aside_stmt = {"sender_set_aside",
	"INSERT INTO set_aside (id, kind, stream, payload, reason)"
	" VALUES ($1::text, $2::text, $3::text, $4::bytea, $5::text) ON CONFLICT (id) DO NOTHING"};

static struct pg_params *ownership_params(
	struct store_call *call, const struct store_ownership *ownership)
{
	struct pg_params *params = pg_params_new(call->pool);
	pg_param_int4_array(params, ownership->partitions, ownership->n);
	pg_param_int8_array(params, ownership->epochs, ownership->n);
	pg_param_text(params, sv_from(ownership->owner));
	return params;
}

void sender_store_queue_due(struct sender_store *store, const struct store_ownership *ownership,
	int most, store_messages_fn fn, void *ctx)
{
	struct store_call *call =
		store_call_new(store, (union store_callback){.on_messages = fn}, ctx);
	struct pg_params *params = ownership_params(call, ownership);
	pg_param_int4(params, most);
	store_call_run(call, &queue_due_stmt, params, store_give_messages);
}

static void give_wait(void *ctx, const struct pg_result *result)
{
	struct store_call *call = ctx;
	int64_t wait_ms = -1;
	if (pg_status(result) == PG_OK && pg_rows(result) == 1 && !pg_is_null(result, 0, 0)) {
		wait_ms = pg_int(result, 0, 0);
	}
	call->fn.on_wait(call->ctx, pg_status(result), pg_err(result), wait_ms);
	store_call_free(&call);
}

void sender_store_read_next_due(struct sender_store *store, store_wait_fn fn, void *ctx)
{
	struct store_call *call = store_call_new(store, (union store_callback){.on_wait = fn}, ctx);
	store_call_run(call, &next_due_stmt, NULL, give_wait);
}

static void give_expired(void *ctx, const struct pg_result *result)
{
	struct store_call *call = ctx;
	int n = pg_status(result) == PG_OK ? pg_rows(result) : 0;
	struct store_expired *rows = pool_array(call->pool, (size_t)n, sizeof(*rows));
	for (int row = 0; row < n; row++) {
		rows[row] = (struct store_expired){
			.key = {(int)pg_int(result, row, 0), (int32_t)pg_int(result, row, 1),
				pg_text(result, row, 2)},
			.message_id = pg_text(result, row, 3),
			.tenant_id = (int32_t)pg_int(result, row, 4),
			.contact_id = (int32_t)pg_int(result, row, 5),
			.has_event = !pg_is_null(result, row, 6),
			.sequence = pg_int(result, row, 6),
			.created_at_ms = pg_time(result, row, 7),
			.webhook_id = (int32_t)pg_int(result, row, 8),
		};
	}
	call->fn.on_expired(call->ctx, pg_status(result), pg_err(result), rows, n);
	store_call_free(&call);
}

void sender_store_expire(struct sender_store *store, const struct store_ownership *ownership,
	int most, store_expired_fn fn, void *ctx)
{
	struct store_call *call =
		store_call_new(store, (union store_callback){.on_expired = fn}, ctx);
	struct pg_params *params = ownership_params(call, ownership);
	pg_param_int4(params, most);
	pg_param_int2(params, EVENT_MESSAGE_FAILED);
	pg_param_text(params, SV_LIT("Not sent before valid_until"));
	pg_param_text(params, SV_LIT(ERROR_EXPIRED));
	store_call_run(call, &expire_stmt, params, give_expired);
}

static void give_done(void *ctx, const struct pg_result *result)
{
	struct store_call *call = ctx;
	call->fn.on_done(call->ctx, pg_status(result), pg_err(result));
	store_call_free(&call);
}

void sender_store_set_aside(struct sender_store *store, const char *id, const char *kind,
	const char *stream, struct strview payload, const char *reason, store_done_fn fn, void *ctx)
{
	struct store_call *call = store_call_new(store, (union store_callback){.on_done = fn}, ctx);
	struct pg_params *params = pg_params_new(call->pool);
	pg_param_text(params, sv_from(id));
	pg_param_text(params, sv_from(kind));
	pg_param_text(params, sv_from(stream));
	pg_param_bytes(params, payload);
	pg_param_text(params, sv_from(reason));
	store_call_run(call, &set_aside_stmt, params, give_done);
}
