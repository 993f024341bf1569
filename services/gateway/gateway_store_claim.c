/* SQL of claims. */
#include "services/gateway/gateway_store_claim.h"

#include "services/gateway/gateway_store.h"

/* SQL keeps its own lines. */
/* clang-format off */

#define ENTRIES                                                                                    \
	"WITH entry AS MATERIALIZED ("                                                             \
	" SELECT u.id, u.attempt, u.partition, u.partition_epoch, u.session_id,"                   \
	" u.session_epoch, u.place"                                                                \
	" FROM unnest($1::text[], $2::int4[], $3::int4[], $4::int8[], $5::int4[],"                 \
	" $6::int8[]) WITH ORDINALITY AS u(id, attempt, partition, partition_epoch,"               \
	" session_id, session_epoch, place))"

#define CLAIMED_COLUMNS                                                                            \
	" m.id, m.wa_message_id, m.phone, m.body, m.caption, m.filename,"                          \
	" m.media_sha256, m.tenant_id, m.session_id, m.partition, m.queue_seq, m.type,"            \
	" m.attempts, m.ever_unknown, m.alone"

#define NOTHING_EARLIER_IS_OPEN                                                                    \
	"NOT EXISTS (SELECT"                                                                       \
	" FROM messages x"                                                                         \
	" WHERE x.open AND x.partition = m.partition AND x.session_id = m.session_id"              \
	" AND x.phone = m.phone AND x.queue_seq < m.queue_seq OFFSET 0)"

/* A dispatch may come this early: the sender's clock is not Postgres's. */
#define IS_DUE "(m.next_attempt_at IS NULL OR m.next_attempt_at <= now() + interval '250 ms')"

/*
 * The session's lease is locked so that a take-over waits for our commit, and so settles what we
 * claimed. Rows are locked in the order of their ids. $7 budget, $8 alone, $9 deaths till alone,
 * $10 deaths till set aside.
 */
static const struct pg_stmt claim_stmt = {
	.name = "gateway_claim",
	.sql = ENTRIES
	", held AS MATERIALIZED ("
	" SELECT l.id, l.epoch"
	" FROM leases l"
	" WHERE l.kind = 'session'"
	" AND l.id IN (SELECT e.session_id FROM entry e)"
	" AND l.expires_at > clock_timestamp()"
	" ORDER BY l.id"
	" FOR KEY SHARE"
	"), fit AS MATERIALIZED ("
	" SELECT m.id, h.epoch"
	" FROM entry e"
	" JOIN held h ON h.id = e.session_id AND h.epoch = e.session_epoch"
	" JOIN leases p ON p.kind = 'partition' AND p.id = e.partition"
	" AND p.epoch = e.partition_epoch"
	" JOIN messages m ON m.id = e.id"
	" WHERE m.direction = 0 AND m.session_id = e.session_id"
	" AND m.attempts = e.attempt"
	" AND (m.status = 2 AND (m.valid_until IS NULL"
	" OR m.valid_until > now()) OR m.status = 3 AND m.outcome_unknown"
	" AND m.attempts < $7::int4 AND m.deaths_alone < $10::int4"
	" AND (m.valid_until IS NULL OR m.valid_until > now())) AND " IS_DUE
	" AND NOT m.media_wanted AND (m.deaths < $9::int4 OR $8::bool) AND " NOTHING_EARLIER_IS_OPEN
	" ORDER BY m.id"
	" FOR NO KEY UPDATE OF m"
	"), claimed AS ("
	" UPDATE messages m"
	" SET status = 3, attempts = (m.attempts + 1)::int2,"
	" sending_at = coalesce(m.sending_at, now()), session_epoch = f.epoch,"
	" outcome_unknown = false, alone = $8::bool, next_attempt_at = NULL"
	" FROM (SELECT DISTINCT fit.id, fit.epoch"
	" FROM fit) f"
	" WHERE m.id = f.id"
	" RETURNING" CLAIMED_COLUMNS ", m.contact_id"
	"), remembered AS ("
	" INSERT INTO conversations AS v (session_id, phone, tenant_id,"
	" contact_id)"
	" SELECT c.session_id, c.phone, c.tenant_id, c.contact_id"
	" FROM claimed c"
	" WHERE NOT EXISTS (SELECT"
	" FROM conversations o"
	" WHERE o.session_id = c.session_id AND o.phone = c.phone"
	" AND o.tenant_id = c.tenant_id AND o.contact_id = c.contact_id)"
	" ORDER BY c.session_id, c.phone"
	" ON CONFLICT (session_id, phone) DO UPDATE"
	" SET tenant_id = EXCLUDED.tenant_id, contact_id = EXCLUDED.contact_id,"
	" updated_at = now())"
	" SELECT" CLAIMED_COLUMNS " FROM claimed m",
};

/* Two statements, for the second one's snapshot must be younger than the lock: what we waited for
 * has to show. */
static const struct pg_stmt check_lock_stmt = {
	.name = "gateway_claim_check_lock",
	.sql = "SELECT l.id"
	       " FROM leases l"
	       " WHERE l.kind = 'session' AND l.id = ANY($1::int4[])"
	       " ORDER BY l.id"
	       " FOR UPDATE",
};

static const struct pg_stmt check_stmt = {
	.name = "gateway_claim_check",
	.sql = ENTRIES " SELECT" CLAIMED_COLUMNS " FROM entry e"
		       " JOIN leases l ON l.kind = 'session' AND l.id = e.session_id"
		       " AND l.epoch = e.session_epoch"
		       " JOIN messages m ON m.id = e.id"
		       " WHERE m.direction = 0 AND m.status = 3"
		       " AND NOT m.outcome_unknown AND m.session_id = e.session_id"
		       " AND m.session_epoch = e.session_epoch AND m.attempts = e.attempt + 1",
};

static const struct pg_stmt explain_stmt = {
	.name = "gateway_claim_explain",
	.sql = ENTRIES " SELECT m.id IS NOT NULL, p.id IS NOT NULL, coalesce(m.open, false),"
		       " coalesce(m.status, 0), coalesce(m.outcome_unknown, false),"
		       " coalesce(m.attempts = e.attempt, false), coalesce(" IS_DUE
		       ", false), " NOTHING_EARLIER_IS_OPEN
		       ", coalesce(m.valid_until <= now(), false),"
		       " coalesce(m.media_wanted, false), coalesce(m.attempts, 0),"
		       " coalesce(m.deaths, 0), coalesce(m.deaths_alone, 0)"
		       " FROM entry e"
		       " LEFT JOIN messages m ON m.id = e.id AND m.direction = 0"
		       " AND m.session_id = e.session_id"
		       " LEFT JOIN leases p ON p.kind = 'partition' AND p.id = e.partition"
		       " AND p.epoch = e.partition_epoch"
		       " ORDER BY e.place",
};

static const struct pg_stmt set_aside_stmt = {
	.name = "gateway_set_aside_entry",
	.sql = "INSERT INTO set_aside (id, kind, stream, payload, reason)"
	       " VALUES ($1::text, 'dispatch', $2::text, $3::bytea, $4::text)"
	       " ON CONFLICT (id) DO NOTHING",
};

/* clang-format on */

static void param_entries(
	struct pg_params *params, struct pool *pool, const struct claim_entry *entries, int n)
{
	struct strview *ids = pool_array(pool, (size_t)n, sizeof(*ids));
	int64_t *numbers[5];
	for (size_t i = 0; i < array_len(numbers); i++)
		numbers[i] = pool_array(pool, (size_t)n, sizeof(int64_t));
	for (int i = 0; i < n; i++) {
		ids[i] = entries[i].message_id;
		numbers[0][i] = entries[i].attempt;
		numbers[1][i] = entries[i].partition;
		numbers[2][i] = entries[i].partition_epoch;
		numbers[3][i] = entries[i].session_id;
		numbers[4][i] = entries[i].session_epoch;
	}
	pg_param_text_array(params, ids, n);
	pg_param_int4_array(params, numbers[0], n);
	pg_param_int4_array(params, numbers[1], n);
	pg_param_int8_array(params, numbers[2], n);
	pg_param_int4_array(params, numbers[3], n);
	pg_param_int8_array(params, numbers[4], n);
}

void gateway_store_claim(struct pg_conn *conn, const struct claim_entry *entries, int n, int budget,
	bool alone, pg_done_fn fn, void *ctx)
{
	struct pool *pool = pool_new();
	struct pg_params *params = pg_params_new(pool);
	param_entries(params, pool, entries, n);
	pg_param_int4(params, budget);
	pg_param_bool(params, alone);
	pg_param_int4(params, CLAIM_DEATHS_TILL_ALONE);
	pg_param_int4(params, CLAIM_DEATHS_TILL_SET_ASIDE);
	pg_conn_query(conn, &claim_stmt, params, GATEWAY_QUERY_TIMEOUT_MS, fn, ctx);
	pool_free(&pool);
}

void gateway_store_claim_check(
	struct pg_conn *conn, const struct claim_entry *entries, int n, pg_done_fn fn, void *ctx)
{
	struct pool *pool = pool_new();
	struct pg_params *lock_params = pg_params_new(pool);
	int64_t *sessions = pool_array(pool, (size_t)n, sizeof(*sessions));
	for (int i = 0; i < n; i++)
		sessions[i] = entries[i].session_id;
	pg_param_int4_array(lock_params, sessions, n);
	struct pg_params *params = pg_params_new(pool);
	param_entries(params, pool, entries, n);
	const struct pg_stmt *stmts[] = {&check_lock_stmt, &check_stmt};
	const struct pg_params *all_params[] = {lock_params, params};
	pg_conn_query_all(conn, 2, stmts, all_params, GATEWAY_QUERY_TIMEOUT_MS, fn, ctx);
	pool_free(&pool);
}

void gateway_store_claimed(const struct pg_result *result, int row, struct claimed *ret_claimed)
{
	*ret_claimed = (struct claimed){
		.message_id = pg_text(result, row, 0),
		.wa_message_id = pg_text(result, row, 1),
		.phone = pg_text(result, row, 2),
		.body = pg_text(result, row, 3),
		.caption = pg_text(result, row, 4),
		.filename = pg_text(result, row, 5),
		.media_sha256 = pg_text(result, row, 6),
		.tenant_id = (int32_t)pg_int(result, row, 7),
		.session_id = (int32_t)pg_int(result, row, 8),
		.partition = (int)pg_int(result, row, 9),
		.queue_seq = pg_int(result, row, 10),
		.type = (enum message_type)pg_int(result, row, 11),
		.attempts = (int)pg_int(result, row, 12),
		.ever_unknown = pg_bool(result, row, 13),
		.alone = pg_bool(result, row, 14),
	};
}

void gateway_store_explain(
	struct pg_conn *conn, const struct claim_entry *entries, int n, pg_done_fn fn, void *ctx)
{
	struct pool *pool = pool_new();
	struct pg_params *params = pg_params_new(pool);
	param_entries(params, pool, entries, n);
	pg_conn_query(conn, &explain_stmt, params, GATEWAY_QUERY_TIMEOUT_MS, fn, ctx);
	pool_free(&pool);
}

void gateway_store_finding(
	const struct pg_result *result, int row, struct claim_finding *ret_finding)
{
	*ret_finding = (struct claim_finding){
		.is_found = pg_bool(result, row, 0),
		.is_fresh = pg_bool(result, row, 1),
		.is_open = pg_bool(result, row, 2),
		.status = (enum message_status)pg_int(result, row, 3),
		.outcome_unknown = pg_bool(result, row, 4),
		.attempt_fits = pg_bool(result, row, 5),
		.is_due = pg_bool(result, row, 6),
		.is_head = pg_bool(result, row, 7),
		.is_past_valid = pg_bool(result, row, 8),
		.media_wanted = pg_bool(result, row, 9),
		.attempts = (int)pg_int(result, row, 10),
		.deaths = (int)pg_int(result, row, 11),
		.deaths_alone = (int)pg_int(result, row, 12),
	};
}

void gateway_store_set_aside_entry(struct pg_conn *conn, const char *set_aside_id,
	const char *stream, struct strview payload, const char *reason, pg_done_fn fn, void *ctx)
{
	struct pool *pool = pool_new();
	struct pg_params *params = pg_params_new(pool);
	pg_param_text(params, sv_from(set_aside_id));
	pg_param_text(params, sv_from(stream));
	pg_param_bytes(params, payload);
	pg_param_text(params, sv_from(reason));
	pg_conn_query(conn, &set_aside_stmt, params, GATEWAY_QUERY_TIMEOUT_MS, fn, ctx);
	pool_free(&pool);
}
