/* What the sender reads. */
#include "services/sender/sender_store.h"

#include "common/base/mem.h"
#include "services/sender/sender_store_internal.h"

/* A message as the queue wants to know it; read by store_give_messages(). Status 3 is `sending`. */
#define MESSAGE_COLUMNS                                                                            \
	"h.id, h.tenant_id, h.queue_seq, h.attempts, h.status = 3 AND NOT h.outcome_unknown, "     \
	"greatest(0, extract(epoch FROM h.next_attempt_at - now()) * 1000)::int8 "

/* A loose index scan over messages_open: each step is one probe for the next (session_id, phone),
   however many messages a conversation has. Scheduled messages have no queue_seq. */
static const struct pg_stmt page_stmt = {"sender_page",
	"WITH RECURSIVE c AS ("
	" (SELECT m.session_id, m.phone, 1 AS place FROM messages m"
	"  WHERE m.open AND m.partition = $1::int4"
	"   AND (m.session_id, m.phone) > ($2::int4, $3::text)"
	"  ORDER BY m.partition, m.session_id, m.phone LIMIT 1)"
	" UNION ALL"
	" SELECT n.session_id, n.phone, c.place + 1 FROM c CROSS JOIN LATERAL"
	"  (SELECT m.session_id, m.phone FROM messages m WHERE m.open AND m.partition = $1::int4"
	"    AND (m.session_id, m.phone) > (c.session_id, c.phone)"
	"   ORDER BY m.partition, m.session_id, m.phone LIMIT 1) n"
	" WHERE c.place < $4::int4) "
	"SELECT $1::int4, c.session_id, c.phone, " MESSAGE_COLUMNS "FROM c LEFT JOIN LATERAL"
	" (SELECT m.* FROM messages m WHERE m.open AND m.partition = $1::int4"
	"   AND m.session_id = c.session_id AND m.phone = c.phone AND m.queue_seq IS NOT NULL"
	"  ORDER BY m.queue_seq LIMIT $5::int4) h ON true "
	"ORDER BY c.place, h.queue_seq"};

static const struct pg_stmt conversations_stmt = {"sender_conversations",
	"SELECT c.partition, c.session_id, c.phone, " MESSAGE_COLUMNS
	"FROM unnest($1::int4[], $2::int4[], $3::text[])"
	" WITH ORDINALITY AS c(partition, session_id, phone, place)"
	" CROSS JOIN LATERAL (SELECT m.* FROM messages m WHERE m.open AND m.partition = c.partition"
	"   AND m.session_id = c.session_id AND m.phone = c.phone COLLATE \"C\""
	"   AND m.queue_seq IS NOT NULL"
	"  ORDER BY m.queue_seq LIMIT $4::int4) h "
	"ORDER BY c.place, h.queue_seq"};

static const struct pg_stmt limits_stmt = {"sender_limits",
	"SELECT true, s.id, s.engine = 'sandbox', s.state = 'connected',"
	" EXISTS (SELECT 1 FROM leases l"
	"  WHERE l.kind = 'session' AND l.id = s.id AND l.expires_at > now()),"
	" coalesce(s.rate_per_min, -1), coalesce(s.burst, -1),"
	" coalesce(s.recipient_interval_ms, -1), coalesce(s.recipient_burst, -1) "
	"FROM sessions s WHERE s.id = ANY($1::int4[]) AND s.deleted_at IS NULL "
	"UNION ALL "
	"SELECT false, t.id, false, false, false, coalesce(t.rate_per_min, -1), -1, -1, -1 "
	"FROM tenants t WHERE t.id = ANY($2::int4[])"};

struct sender_store *sender_store_new(struct pg_pool *pool)
{
	struct sender_store *store = mem_new(struct sender_store);
	store->pool = pool;
	TAILQ_INIT(&store->calls);
	return store;
}

void sender_store_free(struct sender_store **store)
{
	if (*store == NULL) {
		return;
	}
	while (!TAILQ_EMPTY(&(*store)->calls)) {
		struct store_call *call = TAILQ_FIRST(&(*store)->calls);
		store_call_free(&call);
	}
	mem_free(*store);
	*store = NULL;
}

int sender_store_in_flight(const struct sender_store *store)
{
	return store->n_calls;
}

struct store_call *store_call_new(struct sender_store *store, union store_callback fn, void *ctx)
{
	struct store_call *call = mem_new(struct store_call);
	call->store = store;
	call->pool = pool_new();
	call->fn = fn;
	call->ctx = ctx;
	TAILQ_INSERT_TAIL(&store->calls, call, in_store);
	store->n_calls++;
	return call;
}

void store_call_free(struct store_call **call)
{
	TAILQ_REMOVE(&(*call)->store->calls, *call, in_store);
	(*call)->store->n_calls--;
	pool_free(&(*call)->pool);
	mem_free(*call);
	*call = NULL;
}

void store_call_run(struct store_call *call, const struct pg_stmt *stmt,
	const struct pg_params *params, pg_done_fn on_done)
{
	pg_pool_query(call->store->pool, stmt, params, STORE_DEADLINE_MS, on_done, call);
}

static void read_message_row(const struct pg_result *result, int row, struct store_message *ret_row)
{
	*ret_row = (struct store_message){
		.key = {(int)pg_int(result, row, 0), (int32_t)pg_int(result, row, 1),
			pg_text(result, row, 2)},
		.has_message = !pg_is_null(result, row, 3),
	};
	if (ret_row->has_message) {
		ret_row->message = (struct send_message){
			.id = pg_text(result, row, 3),
			.tenant_id = (int32_t)pg_int(result, row, 4),
			.queue_seq = pg_int(result, row, 5),
			.attempts = (int)pg_int(result, row, 6),
			.claimed = pg_bool(result, row, 7),
			.due_in_ms = pg_int(result, row, 8),
		};
	}
}

void store_give_messages(void *ctx, const struct pg_result *result)
{
	struct store_call *call = ctx;
	int n = pg_status(result) == PG_OK ? pg_rows(result) : 0;
	struct store_message *rows = pool_array(call->pool, (size_t)n, sizeof(*rows));
	for (int row = 0; row < n; row++) {
		read_message_row(result, row, &rows[row]);
	}
	call->fn.on_messages(call->ctx, pg_status(result), pg_err(result), rows, n);
	store_call_free(&call);
}

void sender_store_read_page(struct sender_store *store, int partition, int32_t after_session_id,
	struct strview after_phone, int max_conversations, int max_messages, store_messages_fn fn,
	void *ctx)
{
	struct store_call *call =
		store_call_new(store, (union store_callback){.on_messages = fn}, ctx);
	struct pg_params *params = pg_params_new(call->pool);
	pg_param_int4(params, partition);
	pg_param_int4(params, after_session_id);
	pg_param_text(params, after_phone);
	pg_param_int4(params, max_conversations);
	pg_param_int4(params, max_messages);
	store_call_run(call, &page_stmt, params, store_give_messages);
}

void sender_store_read_conversations(struct sender_store *store,
	const struct conversation_key *keys, int n, int max_messages, store_messages_fn fn,
	void *ctx)
{
	struct store_call *call =
		store_call_new(store, (union store_callback){.on_messages = fn}, ctx);
	struct pg_params *params = pg_params_new(call->pool);
	int64_t *partitions = pool_array(call->pool, (size_t)n, sizeof(*partitions));
	int64_t *session_ids = pool_array(call->pool, (size_t)n, sizeof(*session_ids));
	struct strview *phones = pool_array(call->pool, (size_t)n, sizeof(*phones));
	for (int i = 0; i < n; i++) {
		partitions[i] = keys[i].partition;
		session_ids[i] = keys[i].session_id;
		phones[i] = keys[i].phone;
	}
	pg_param_int4_array(params, partitions, n);
	pg_param_int4_array(params, session_ids, n);
	pg_param_text_array(params, phones, n);
	pg_param_int4(params, max_messages);
	store_call_run(call, &conversations_stmt, params, store_give_messages);
}

static void give_limits(void *ctx, const struct pg_result *result)
{
	struct store_call *call = ctx;
	int n = pg_status(result) == PG_OK ? pg_rows(result) : 0;
	struct store_limits *rows = pool_array(call->pool, (size_t)n, sizeof(*rows));
	for (int row = 0; row < n; row++) {
		rows[row] = (struct store_limits){
			.is_session = pg_bool(result, row, 0),
			.id = (int32_t)pg_int(result, row, 1),
			.is_sandbox = pg_bool(result, row, 2),
			.is_connected = pg_bool(result, row, 3),
			.is_alive = pg_bool(result, row, 4),
			.rate_per_min = pg_int(result, row, 5),
			.burst = pg_int(result, row, 6),
			.recipient_interval_ms = pg_int(result, row, 7),
			.recipient_burst = pg_int(result, row, 8),
		};
	}
	call->fn.on_limits(call->ctx, pg_status(result), pg_err(result), rows, n);
	store_call_free(&call);
}

void sender_store_read_limits(struct sender_store *store, const int64_t *session_ids,
	int n_sessions, const int64_t *tenant_ids, int n_tenants, store_limits_fn fn, void *ctx)
{
	struct store_call *call =
		store_call_new(store, (union store_callback){.on_limits = fn}, ctx);
	struct pg_params *params = pg_params_new(call->pool);
	pg_param_int4_array(params, session_ids, n_sessions);
	pg_param_int4_array(params, tenant_ids, n_tenants);
	store_call_run(call, &limits_stmt, params, give_limits);
}
