/* SQL of the hot path. */
#include "services/api/api_store_accept.h"

#include "common/base/check.h"
#include "common/model/message.h"

/*
 * Accepting takes this lock shared, erasure and the end of a session take it alone: so that whoever
 * reads a contact or a session in the statement after it sees all that ended before, and nothing
 * ends until its message is committed. It must be a statement of its own: a statement's snapshot is
 * older than the locks that it takes.
 */
static const struct pg_stmt accept_lock = {
	"api_accept_lock", "SELECT pg_advisory_xact_lock_shared(3, 0)"};

#define ACCEPT_INPUT                                                                               \
	"SELECT u.* FROM unnest($1::text[], $2::text[], $3::int4[], $4::int4[], $5::int4[],"       \
	" $6::int2[], $7::text[], $8::bool[], $9::int2[], $10::timestamptz[], $11::timestamptz[]," \
	" $12::timestamptz[], $13::timestamptz[], $14::text[], $15::text[], $16::text[],"          \
	" $17::text[], $18::text[], $19::text[], $20::bool[], $21::text[], $22::bytea[])"          \
	" WITH ORDINALITY AS u(id, wa_message_id, tenant_id, contact_id, session_id, partition,"   \
	" phone, any_number, type, created_at, due_at, send_at, valid_until, body, caption,"       \
	" media_url, filename, external_ref, metadata, once, key, fingerprint, ord)"               \
	" JOIN contact_numbers n ON n.tenant_id = u.tenant_id AND n.phone = u.phone"               \
	" AND n.contact_id = u.contact_id AND (n.position = 0 OR u.any_number)"                    \
	" WHERE (u.valid_until IS NULL OR u.valid_until > clock_timestamp()) AND EXISTS"           \
	" (SELECT FROM sessions s WHERE s.id = u.session_id AND s.deleted_at IS NULL)"

#define ACCEPT_INSERT                                                                              \
	"INSERT INTO messages (id, tenant_id, contact_id, session_id, partition, direction, type," \
	" status, open, queue_seq, created_at, due_at, send_at, valid_until, queued_at,"           \
	" wa_message_id, phone, external_ref, body, caption, media_url, media_wanted, filename,"   \
	" metadata)"                                                                               \
	" SELECT i.id, i.tenant_id, i.contact_id, i.session_id, i.partition, 0, i.type,"           \
	" CASE WHEN i.due_at IS NULL THEN 2 ELSE 1 END, true,"                                     \
	" CASE WHEN i.due_at IS NULL THEN nextval('queue_seq') END, i.created_at, i.due_at,"       \
	" i.send_at, i.valid_until, CASE WHEN i.due_at IS NULL THEN i.created_at END,"             \
	" i.wa_message_id, i.phone, i.external_ref, i.body, i.caption, i.media_url,"               \
	" i.media_url IS NOT NULL, i.filename, i.metadata::jsonb"

#define ACCEPT_ORDER  " ORDER BY i.ord"
#define ACCEPT_RETURN " RETURNING id, queue_seq"

/* Nobody in the batch has a key or `once`. */
#define ACCEPT_PLAIN ACCEPT_INSERT " FROM (" ACCEPT_INPUT ") AS i" ACCEPT_ORDER

/* Keys and refs are inserted in their order, so that two processes with the same ones do not
 * deadlock. */
#define ACCEPT_KEYED                                                                               \
	"WITH i AS MATERIALIZED (" ACCEPT_INPUT "), k AS ("                                        \
	"INSERT INTO idempotency_keys (tenant_id, key, fingerprint, status, message_id)"           \
	" SELECT tenant_id, key, fingerprint, 202, id FROM i WHERE key IS NOT NULL"                \
	" ORDER BY tenant_id, key COLLATE \"C\" ON CONFLICT DO NOTHING RETURNING message_id"       \
	"), o AS ("                                                                                \
	"INSERT INTO once_refs (tenant_id, external_ref, message_id)"                              \
	" SELECT i.tenant_id, i.external_ref, i.id FROM i"                                         \
	" WHERE i.once AND (i.key IS NULL OR i.id IN (SELECT message_id FROM k))"                  \
	" AND NOT EXISTS (SELECT FROM messages m WHERE m.tenant_id = i.tenant_id"                  \
	" AND m.external_ref = i.external_ref)"                                                    \
	" ORDER BY i.tenant_id, i.external_ref COLLATE \"C\""                                      \
	" ON CONFLICT DO NOTHING RETURNING message_id"                                             \
	") " ACCEPT_INSERT " FROM i WHERE (i.key IS NULL OR i.id IN (SELECT message_id FROM k))"   \
	" AND (NOT i.once OR i.id IN (SELECT message_id FROM o))" ACCEPT_ORDER

/* The first try chose new ids: there can be no conflict, and not looking for one is a good deal
 * faster. */
static const struct pg_stmt accept_plain = {"api_accept_plain", ACCEPT_PLAIN ACCEPT_RETURN};
static const struct pg_stmt accept_keyed = {"api_accept_keyed", ACCEPT_KEYED ACCEPT_RETURN};
/* Again, after one whose end is not known. */
#define ACCEPT_AGAIN " ON CONFLICT (id) DO NOTHING" ACCEPT_RETURN
static const struct pg_stmt accept_plain_again = {
	"api_accept_plain_again", ACCEPT_PLAIN ACCEPT_AGAIN};
static const struct pg_stmt accept_keyed_again = {
	"api_accept_keyed_again", ACCEPT_KEYED ACCEPT_AGAIN};

#define ACCEPTED_COLUMNS(m)                                                                        \
	m ".id, " m ".contact_id, " m ".status, " m ".created_at, " m ".queue_seq, " m             \
	  ".send_at > " m ".created_at"

/* clang-format off */
static const struct pg_stmt accept_explain = {"api_accept_explain",
	"SELECT " ACCEPTED_COLUMNS("own") ", k.fingerprint, k.message_id = $2::text, "
	ACCEPTED_COLUMNS("keyed") ", " ACCEPTED_COLUMNS("first")
	", coalesce($5::timestamptz <= clock_timestamp(), false)"
	" FROM (SELECT 1) AS one"
	" LEFT JOIN messages own ON own.id = $2::text"
	" LEFT JOIN idempotency_keys k ON k.tenant_id = $1::int4 AND k.key = $3::text"
	" LEFT JOIN messages keyed ON keyed.id = k.message_id"
	" LEFT JOIN messages first ON first.id = coalesce("
	"(SELECT o.message_id FROM once_refs o"
	" WHERE o.tenant_id = $1::int4 AND o.external_ref = $4::text),"
	" (SELECT m.id FROM messages m WHERE m.tenant_id = $1::int4 AND m.external_ref = $4::text"
	" ORDER BY m.id LIMIT 1))"};
/* clang-format on */

/*
 * A call that is refused for its valid_until may be the second try of one that waits in another
 * process, or in a statement that is about to be committed. These two wait for such a statement;
 * one that begins later finds that it is too late as well, by the same clock.
 */
static const struct pg_stmt accept_key_wait = {"api_accept_key_wait",
	"INSERT INTO idempotency_keys (tenant_id, key, fingerprint, status)"
	" VALUES ($1::int4, $2::text, ''::bytea, 0) ON CONFLICT DO NOTHING"};
static const struct pg_stmt accept_key_leave = {"api_accept_key_leave",
	"DELETE FROM idempotency_keys WHERE tenant_id = $1::int4 AND key = $2::text AND status = 0"};

static const struct pg_stmt resolve = {"api_resolve",
	"SELECT (q.ord - 1)::int4, c.contact_id, c.phone, s.id"
	" FROM unnest($1::int4[], $2::int4[], $3::text[], $4::int4[])"
	" WITH ORDINALITY AS q(tenant_id, contact_id, phone, session_id, ord)"
	" JOIN tenants t ON t.id = q.tenant_id JOIN deployment d ON d.only_row"
	" LEFT JOIN LATERAL ("
	"SELECT n.contact_id, n.phone FROM contact_numbers n"
	" WHERE q.phone IS NOT NULL AND n.tenant_id = q.tenant_id AND n.phone = q.phone"
	" UNION ALL "
	"SELECT n.contact_id, n.phone FROM contact_numbers n"
	" WHERE q.phone IS NULL AND n.contact_id = q.contact_id AND n.position = 0"
	" AND n.tenant_id = q.tenant_id) AS c ON true"
	" LEFT JOIN LATERAL ("
	"SELECT s.id FROM sessions s WHERE s.deleted_at IS NULL"
	" AND (q.session_id = 0 OR s.id = q.session_id)"
	" AND (s.tenant_id = t.id OR s.id ="
	" CASE WHEN t.sandbox THEN d.sandbox_session_id ELSE d.default_session_id END)"
	" AND (s.engine = 'sandbox' OR NOT t.sandbox)"
	" ORDER BY s.tenant_id IS NULL, s.id LIMIT 1) AS s ON true"};

/* The foreign key is checked at the statement's end, when the contacts are there too. */
static const struct pg_stmt contacts_of_phones = {"api_contacts_of_phones",
	"WITH q AS MATERIALIZED ("
	"SELECT d.tenant_id, d.phone, nextval(pg_get_serial_sequence('contacts', 'id'))::int4 AS id"
	" FROM (SELECT DISTINCT u.tenant_id, u.phone FROM unnest($1::int4[], $2::text[])"
	" AS u(tenant_id, phone)) AS d"
	"), n AS ("
	"INSERT INTO contact_numbers (tenant_id, phone, contact_id)"
	" SELECT tenant_id, phone, id FROM q ORDER BY tenant_id, phone COLLATE \"C\""
	" ON CONFLICT DO NOTHING RETURNING tenant_id, contact_id"
	") INSERT INTO contacts (id, tenant_id) SELECT contact_id, tenant_id FROM n"};

static const struct pg_stmt open_count = {"api_open_count",
	"SELECT count(*) FROM (SELECT FROM messages WHERE tenant_id = $1::int4 AND tenant_id > 0 AND open"
	" LIMIT $2::int8) AS m"};

/* --- writing --- */

#define COLUMN(name, type, array_type)                                                             \
	static void param_##name(                                                                  \
		struct pg_params *params, const struct store_accept *const *rows, int n_rows)      \
	{                                                                                          \
		type column[STORE_ACCEPT_MAX];                                                     \
		for (int i = 0; i < n_rows; i++)                                                   \
			column[i] = rows[i]->name;                                                 \
		pg_param_##array_type##_array(params, column, n_rows);                             \
	}

COLUMN(id, struct strview, text)
COLUMN(wa_message_id, struct strview, text)
COLUMN(tenant_id, int64_t, int4)
COLUMN(contact_id, int64_t, int4)
COLUMN(session_id, int64_t, int4)
COLUMN(partition, int64_t, int2)
COLUMN(phone, struct strview, text)
COLUMN(any_number, bool, bool)
COLUMN(type, int64_t, int2)
COLUMN(created_at, int64_t, time)
COLUMN(due_at, int64_t, time)
COLUMN(send_at, int64_t, time)
COLUMN(valid_until, int64_t, time)
COLUMN(body, struct strview, text)
COLUMN(caption, struct strview, text)
COLUMN(media_url, struct strview, text)
COLUMN(filename, struct strview, text)
COLUMN(external_ref, struct strview, text)
COLUMN(metadata, struct strview, text)
COLUMN(once, bool, bool)
COLUMN(key, struct strview, text)
COLUMN(fingerprint, struct strview, bytes)

static struct pg_params *accept_params(
	struct pool *pool, const struct store_accept *const *rows, int n_rows)
{
	static void (*const columns[])(struct pg_params *, const struct store_accept *const *,
		int) = {param_id, param_wa_message_id, param_tenant_id, param_contact_id,
		param_session_id, param_partition, param_phone, param_any_number, param_type,
		param_created_at, param_due_at, param_send_at, param_valid_until, param_body,
		param_caption, param_media_url, param_filename, param_external_ref, param_metadata,
		param_once, param_key, param_fingerprint};
	struct pg_params *params = pg_params_new(pool);

	ASSERT(n_rows <= STORE_ACCEPT_MAX);
	for (size_t i = 0; i < array_len(columns); i++)
		columns[i](params, rows, n_rows);
	return params;
}

static bool any_is_keyed(const struct store_accept *const *rows, int n_rows)
{
	for (int i = 0; i < n_rows; i++) {
		if (rows[i]->once || !sv_is_null(rows[i]->key))
			return true;
	}
	return false;
}

void store_accept_write(struct pg_conn *conn, const struct store_accept *const *rows, int n_rows,
	bool again, int64_t deadline_ms, pg_done_fn fn, void *ctx)
{
	static const struct pg_stmt *const writes[2][2] = {
		{&accept_plain, &accept_plain_again}, {&accept_keyed, &accept_keyed_again}};
	struct pool *pool = pool_new();
	const struct pg_stmt *stmts[] = {&accept_lock, writes[any_is_keyed(rows, n_rows)][again]};
	const struct pg_params *params[] = {NULL, accept_params(pool, rows, n_rows)};

	pg_conn_query_all(conn, 2, stmts, params, deadline_ms, fn, ctx);
	pool_free(&pool);
}

struct strview store_accept_written_id(const struct pg_result *result, int row)
{
	return pg_text(result, row, 0);
}

int64_t store_accept_written_seq(const struct pg_result *result, int row)
{
	return pg_int(result, row, 1);
}

static void wait_for_key(struct store_tx *tx, const struct store_accept *row)
{
	struct pg_params *params = pg_params_new(tx->pool);
	pg_param_int4(params, row->tenant_id);
	pg_param_text(params, row->key);
	store_tx_add(tx, &accept_key_wait, params);
	store_tx_add(tx, &accept_key_leave, params);
}

void store_accept_explain(
	struct api_store *store, const struct store_accept *row, pg_done_fn fn, void *ctx)
{
	struct pool *pool = pool_new();
	struct pg_params *params = pg_params_new(pool);
	pg_param_int4(params, row->tenant_id);
	pg_param_text(params, row->id);
	pg_param_text(params, row->key);
	pg_param_text(params, row->once ? row->external_ref : SV_NULL);
	pg_param_time(params, row->valid_until);
	struct store_tx tx;
	store_tx_init(&tx, pool);
	if (!sv_is_null(row->key) && row->valid_until != PG_TIME_NULL)
		wait_for_key(&tx, row);
	store_tx_add(&tx, &accept_explain, params);
	store_run_all(store, &tx, fn, ctx);
	pool_free(&pool);
}

static struct store_accepted accepted_at(const struct pg_result *result, int col, bool as_answered)
{
	struct store_accepted accepted = {
		.id = pg_text(result, 0, col),
		.contact_id = (int32_t)pg_int(result, 0, col + 1),
		.status = (int)pg_int(result, 0, col + 2),
		.created_at = pg_time(result, 0, col + 3),
		.queue_seq = pg_int(result, 0, col + 4),
	};
	bool was_scheduled = !pg_is_null(result, 0, col + 5) && pg_bool(result, 0, col + 5);
	if (as_answered)
		accepted.status = was_scheduled ? MESSAGE_SCHEDULED : MESSAGE_QUEUED;
	return accepted;
}

struct store_explanation store_accept_explanation(const struct pg_result *result)
{
	ASSERT(pg_rows(result) == 1);
	bool has_key = !pg_is_null(result, 0, 6);
	return (struct store_explanation){
		.own = accepted_at(result, 0, true),
		.has_key = has_key,
		.key_is_own = has_key && !pg_is_null(result, 0, 7) && pg_bool(result, 0, 7),
		.fingerprint = pg_bytes(result, 0, 6),
		.keyed = accepted_at(result, 8, true),
		.first = accepted_at(result, 14, false),
		.is_too_late = pg_bool(result, 0, 20),
	};
}

/* --- resolving --- */

void store_resolve(struct api_store *store, const struct store_resolve *questions, int n_questions,
	pg_done_fn fn, void *ctx)
{
	struct pool *pool = pool_new();
	struct pg_params *params = pg_params_new(pool);
	int64_t *numbers = pool_array(pool, (size_t)n_questions, sizeof(*numbers));
	struct strview *phones = pool_array(pool, (size_t)n_questions, sizeof(*phones));

	for (int i = 0; i < n_questions; i++)
		numbers[i] = questions[i].tenant_id;
	pg_param_int4_array(params, numbers, n_questions);
	for (int i = 0; i < n_questions; i++)
		numbers[i] = questions[i].contact_id;
	pg_param_int4_array(params, numbers, n_questions);
	for (int i = 0; i < n_questions; i++)
		phones[i] = questions[i].phone;
	pg_param_text_array(params, phones, n_questions);
	for (int i = 0; i < n_questions; i++)
		numbers[i] = questions[i].session_id;
	pg_param_int4_array(params, numbers, n_questions);
	store_run(store, &resolve, params, fn, ctx);
	pool_free(&pool);
}

struct store_resolved store_resolved_at(const struct pg_result *result, int row)
{
	return (struct store_resolved){
		.question = (int)pg_int(result, row, 0),
		.contact_id = (int32_t)pg_int(result, row, 1),
		.phone = pg_text(result, row, 2),
		.session_id = (int32_t)pg_int(result, row, 3),
	};
}

void store_contacts_of_phones(struct api_store *store, const struct store_resolve *questions,
	int n_questions, pg_done_fn fn, void *ctx)
{
	struct pool *pool = pool_new();
	struct pg_params *params = pg_params_new(pool);
	int64_t *tenants = pool_array(pool, (size_t)n_questions, sizeof(*tenants));
	struct strview *phones = pool_array(pool, (size_t)n_questions, sizeof(*phones));

	for (int i = 0; i < n_questions; i++) {
		tenants[i] = questions[i].tenant_id;
		phones[i] = questions[i].phone;
	}
	pg_param_int4_array(params, tenants, n_questions);
	pg_param_text_array(params, phones, n_questions);
	store_run(store, &contacts_of_phones, params, fn, ctx);
	pool_free(&pool);
}

void store_open_count(
	struct api_store *store, int32_t tenant_id, int64_t limit, pg_done_fn fn, void *ctx)
{
	struct pool *pool = pool_new();
	struct pg_params *params = pg_params_new(pool);
	pg_param_int4(params, tenant_id);
	pg_param_int8(params, limit);
	store_run(store, &open_count, params, fn, ctx);
	pool_free(&pool);
}
