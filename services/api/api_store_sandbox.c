/* SQL of the sandbox's phones. */
#include "services/api/api_store_sandbox.h"

/* The same choice as for sending, as far as it is a sandbox. */
static const struct pg_stmt sandbox_session = {"api_sandbox_session",
	"SELECT s.id FROM sessions s, deployment d WHERE d.only_row AND s.deleted_at IS NULL"
	" AND s.engine = 'sandbox' AND (s.tenant_id = $1::int4"
	" OR s.id IN (d.default_session_id, d.sandbox_session_id))"
	" ORDER BY s.tenant_id IS NULL, s.id LIMIT 1"};

static const struct pg_stmt inbound_insert = {"api_inbound_insert",
	"INSERT INTO sandbox.inbound"
	" (session_id, tenant_id, phone, wa_message_id, type, body, media_url)"
	" VALUES ($1::int4, $2::int4, $3::text, $4::text, $5::int2, $6::text, $7::text)"};

static const struct pg_stmt outbox = {"api_outbox",
	"SELECT * FROM (SELECT message_id, wa_message_id, type, body, caption, media_sha256,"
	" received_at, copies, arrival FROM sandbox.ledger"
	" WHERE tenant_id = $1::int4 AND phone = $2::text ORDER BY arrival DESC LIMIT $3::int4)"
	" AS shown ORDER BY arrival"};

void store_sandbox_session(struct api_store *store, int32_t tenant_id, pg_done_fn fn, void *ctx)
{
	struct pool *pool = pool_new();
	struct pg_params *params = pg_params_new(pool);
	pg_param_int4(params, tenant_id);
	store_run(store, &sandbox_session, params, fn, ctx);
	pool_free(&pool);
}

void store_inbound_add(struct store_tx *tx, const struct store_inbound *inbound)
{
	struct pg_params *params = pg_params_new(tx->pool);
	pg_param_int4(params, inbound->session_id);
	pg_param_int4(params, inbound->tenant_id);
	pg_param_text(params, inbound->phone);
	pg_param_text(params, inbound->wa_message_id);
	pg_param_int2(params, (int16_t)inbound->type);
	pg_param_text(params, inbound->body);
	pg_param_text(params, inbound->media_url);
	store_tx_add(tx, &inbound_insert, params);
}

void store_outbox(struct api_store *store, int32_t tenant_id, struct strview phone, int limit,
	pg_done_fn fn, void *ctx)
{
	struct pool *pool = pool_new();
	struct pg_params *params = pg_params_new(pool);
	pg_param_int4(params, tenant_id);
	pg_param_text(params, phone);
	pg_param_int4(params, limit);
	store_run(store, &outbox, params, fn, ctx);
	pool_free(&pool);
}

struct store_shown store_shown_at(const struct pg_result *result, int row)
{
	return (struct store_shown){
		.message_id = pg_text(result, row, 0),
		.wa_message_id = pg_text(result, row, 1),
		.type = (int)pg_int(result, row, 2),
		.body = pg_text(result, row, 3),
		.caption = pg_text(result, row, 4),
		.media_sha256 = pg_text(result, row, 5),
		.received_at = pg_time(result, row, 6),
		.copies = pg_int(result, row, 7),
	};
}
