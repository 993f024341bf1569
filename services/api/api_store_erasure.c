/* SQL of erasure. */
#include "services/api/api_store_erasure.h"

static const struct pg_stmt erasure_find = {"api_erasure_find",
	"SELECT erased_at IS NOT NULL, erasing FROM contacts"
	" WHERE id = $2::int4 AND tenant_id = $1::int4"};

/* What is accepted for a contact is committed before its erasure begins; see api_store_accept.c. */
static const struct pg_stmt erasure_lock = {
	"api_erasure_lock", "SELECT pg_advisory_xact_lock(3, 0)"};

static const struct pg_stmt erasure_contact = {"api_erasure_contact",
	"UPDATE contacts SET first_name = NULL, last_name = NULL, email = NULL, metadata = NULL,"
	" erased_at = now(), updated_at = now(), erasing = true"
	" WHERE id = $2::int4 AND tenant_id = $1::int4 AND erased_at IS NULL"};

static const struct pg_stmt erasure_numbers = {"api_erasure_numbers",
	"DELETE FROM contact_numbers WHERE contact_id = $2::int4 AND tenant_id = $1::int4"};

/* Before its numbers go. */
static const struct pg_stmt erasure_asides = {"api_erasure_asides",
	"UPDATE set_aside a SET payload = NULL, phone = NULL FROM contact_numbers n"
	" WHERE n.contact_id = $2::int4 AND n.tenant_id = $1::int4 AND a.kind = 'inbound'"
	" AND a.phone = n.phone AND (a.tenant_id = $1::int4 OR a.tenant_id IS NULL)"};

static const struct pg_stmt erasure_answers = {"api_erasure_answers",
	"UPDATE idempotency_keys SET response = jsonb_build_object('id', contact_id)::text"
	" WHERE contact_id = $2::int4 AND tenant_id = $1::int4"};

#define IN_FLIGHT "(m.open AND m.status = 3 AND NOT m.outcome_unknown)"

/* Texts of changes are not written any more; until message_changes.body is dropped, a gateway of
 * the version before, which runs beside during an upgrade, may still write one. */
static const struct pg_stmt erasure_step = {"api_erasure_step",
	"WITH pick AS MATERIALIZED (SELECT m.id, m.session_id, m.phone, m.wa_message_id,"
	" m.media_sha256, m.open AND m.status IN (1, 2) AS waits, m.open AND m.status = 3 AS "
	"unknown"
	" FROM messages m WHERE m.contact_id = $1::int4 AND NOT m.erased AND NOT " IN_FLIGHT
	" ORDER BY m.id LIMIT $2::int4 FOR NO KEY UPDATE"
	"), blanked AS (UPDATE messages m SET erased = true, open = false, phone = '', body = NULL,"
	" edited_body = NULL, detail = NULL, caption = NULL, media_url = NULL, media_sha256 = "
	"NULL, filename = NULL, metadata = NULL,"
	" due_at = NULL, next_attempt_at = NULL, media_wanted = false,"
	" status = CASE WHEN p.waits THEN 8 WHEN p.unknown THEN 7 ELSE m.status END,"
	" cancelled_at = CASE WHEN p.waits THEN now() ELSE m.cancelled_at END,"
	" failed_at = CASE WHEN p.unknown THEN now() ELSE m.failed_at END,"
	" error_code = CASE WHEN p.unknown THEN 'outcome_unknown' ELSE m.error_code END,"
	" error = CASE WHEN p.unknown THEN 'erased before its outcome was known; it may have "
	"arrived'"
	" END FROM pick p WHERE m.id = p.id"
	"), changes AS (UPDATE message_changes c SET body = NULL"
	" WHERE c.contact_id = $1::int4 AND c.body IS NOT NULL"
	"), forgotten AS (DELETE FROM conversations c USING"
	" (SELECT DISTINCT session_id, phone FROM pick) AS p"
	" WHERE c.session_id = p.session_id AND c.phone = p.phone AND c.contact_id = $1::int4"
	"), ledger AS (UPDATE sandbox.ledger l SET body = NULL, caption = NULL, media_sha256 = "
	"NULL,"
	" phone = '' FROM pick p"
	" WHERE l.session_id = p.session_id AND l.wa_message_id = p.wa_message_id)"
	" SELECT count(*), ARRAY(SELECT DISTINCT q.media_sha256 FROM pick q"
	" WHERE q.media_sha256 IS NOT NULL) FROM pick"};

static const struct pg_stmt media_drop = {"api_media_drop",
	"WITH gone AS (DELETE FROM media d WHERE d.sha256 = ANY($1::text[])"
	" AND NOT EXISTS (SELECT FROM messages m WHERE m.media_sha256 = d.sha256)"
	" RETURNING d.object)"
	" INSERT INTO media_loose (object, doomed)"
	" SELECT g.object, true FROM gone g WHERE g.object IS NOT NULL"};

static const struct pg_stmt erasure_finish = {"api_erasure_finish",
	"WITH f AS (UPDATE contacts c SET erasing = false WHERE c.id = $1::int4 AND NOT EXISTS ("
	"SELECT FROM messages m WHERE m.contact_id = c.id AND NOT m.erased) RETURNING c.id)"
	" SELECT EXISTS (SELECT FROM f)"};

static const struct pg_stmt erasure_unfinished = {
	"api_erasure_unfinished", "SELECT id FROM contacts WHERE erasing ORDER BY id LIMIT 1"};

static struct pg_params *contact_params(struct pool *pool, int32_t tenant_id, int32_t contact_id)
{
	struct pg_params *params = pg_params_new(pool);
	pg_param_int4(params, tenant_id);
	pg_param_int4(params, contact_id);
	return params;
}

void store_erasure_find(
	struct api_store *store, int32_t tenant_id, int32_t contact_id, pg_done_fn fn, void *ctx)
{
	struct pool *pool = pool_new();
	store_run(store, &erasure_find, contact_params(pool, tenant_id, contact_id), fn, ctx);
	pool_free(&pool);
}

struct store_erasure store_erasure_at(const struct pg_result *result)
{
	return (struct store_erasure){
		.is_begun = pg_bool(result, 0, 0),
		.is_going_on = pg_bool(result, 0, 1),
	};
}

void store_erasure_begin(struct store_tx *tx, int32_t tenant_id, int32_t contact_id)
{
	const struct pg_params *params = contact_params(tx->pool, tenant_id, contact_id);
	store_tx_add(tx, &erasure_lock, NULL);
	store_tx_add(tx, &erasure_contact, params);
	store_tx_add(tx, &erasure_asides, params);
	store_tx_add(tx, &erasure_numbers, params);
	store_tx_add(tx, &erasure_answers, params);
}

void store_erasure_step(
	struct api_store *store, int32_t contact_id, int limit, pg_done_fn fn, void *ctx)
{
	struct pool *pool = pool_new();
	struct pg_params *params = pg_params_new(pool);
	pg_param_int4(params, contact_id);
	pg_param_int4(params, limit);
	store_run(store, &erasure_step, params, fn, ctx);
	pool_free(&pool);
}

struct store_erasure_step store_erasure_step_at(const struct pg_result *result, struct pool *pool)
{
	struct store_erasure_step step = {.n_blanked = pg_int(result, 0, 0)};
	step.n_media = pg_text_array(result, 0, 1, pool, &step.media);
	return step;
}

void store_media_drop(struct api_store *store, const struct strview *hashes, int n_hashes,
	pg_done_fn fn, void *ctx)
{
	struct pool *pool = pool_new();
	struct pg_params *params = pg_params_new(pool);
	pg_param_text_array(params, hashes, n_hashes);
	store_run(store, &media_drop, params, fn, ctx);
	pool_free(&pool);
}

void store_erasure_finish(struct api_store *store, int32_t contact_id, pg_done_fn fn, void *ctx)
{
	struct pool *pool = pool_new();
	struct pg_params *params = pg_params_new(pool);
	pg_param_int4(params, contact_id);
	store_run(store, &erasure_finish, params, fn, ctx);
	pool_free(&pool);
}

void store_erasure_unfinished(struct api_store *store, pg_done_fn fn, void *ctx)
{
	store_run(store, &erasure_unfinished, NULL, fn, ctx);
}
