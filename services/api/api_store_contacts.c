/* SQL of contacts. */
#include "services/api/api_store_contacts.h"

#define CONTACT_SELECT                                                                             \
	"SELECT c.id, c.tenant_id, c.first_name, c.last_name, c.email, c.metadata, c.created_at,"  \
	" c.updated_at, ARRAY(SELECT n.phone FROM contact_numbers n WHERE n.contact_id = c.id"     \
	" ORDER BY n.position) FROM contacts c"

static const struct pg_stmt contact_insert = {"api_contact_insert",
	"INSERT INTO contacts"
	" (id, tenant_id, first_name, last_name, email, metadata, created_at, updated_at)"
	" VALUES ($1::int4, $2::int4, $3::text, $4::text, $5::text, $6::text::jsonb,"
	" $7::timestamptz, $7::timestamptz)"};

static const struct pg_stmt numbers_insert = {"api_contact_numbers_insert",
	"INSERT INTO contact_numbers (tenant_id, phone, contact_id, position)"
	" SELECT $2::int4, u.phone, $1::int4, (u.ord - 1)::int2"
	" FROM unnest($3::text[]) WITH ORDINALITY AS u(phone, ord)"
	" WHERE EXISTS (SELECT FROM contacts c"
	" WHERE c.id = $1::int4 AND c.tenant_id = $2::int4 AND c.erased_at IS NULL) ORDER BY "
	"u.phone"};

static const struct pg_stmt numbers_delete = {"api_contact_numbers_delete",
	"DELETE FROM contact_numbers WHERE contact_id = $1::int4 AND tenant_id = $2::int4"};

static const struct pg_stmt contact_list = {"api_contact_list",
	CONTACT_SELECT " WHERE c.tenant_id = $1::int4 AND c.erased_at IS NULL "
		       " AND c.id < coalesce(nullif($2::int4, 0), 2147483647 + 1::int8)"
		       " ORDER BY c.id DESC LIMIT $3::int4"};

static const struct pg_stmt contact_get = {"api_contact_get",
	CONTACT_SELECT " WHERE c.id = $2::int4 AND c.tenant_id = $1::int4 AND c.erased_at IS NULL"};

static const struct pg_stmt contact_of_numbers = {"api_contact_of_numbers",
	CONTACT_SELECT " WHERE c.erased_at IS NULL AND c.id IN (SELECT n.contact_id"
		       " FROM contact_numbers n"
		       " WHERE n.tenant_id = $1::int4 AND n.phone = ANY($2::text[]))"
		       " ORDER BY c.id DESC LIMIT 20"};

static const struct pg_stmt contact_change = {"api_contact_change",
	"UPDATE contacts SET first_name = CASE WHEN $8::bool THEN $3::text ELSE first_name END,"
	" last_name = CASE WHEN $9::bool THEN $4::text ELSE last_name END,"
	" email = CASE WHEN $10::bool THEN $5::text ELSE email END,"
	" metadata = CASE WHEN $11::bool THEN $6::text::jsonb ELSE metadata END,"
	" updated_at = $7::timestamptz"
	" WHERE id = $1::int4 AND tenant_id = $2::int4 AND erased_at IS NULL"};

static void param_contact(struct pg_params *params, const struct store_contact *contact, int64_t at)
{
	pg_param_int4(params, contact->id);
	pg_param_int4(params, contact->tenant_id);
	pg_param_text(params, contact->first_name);
	pg_param_text(params, contact->last_name);
	pg_param_text(params, contact->email);
	pg_param_text(params, contact->metadata);
	pg_param_time(params, at);
}

static void numbers_add(struct store_tx *tx, const struct store_contact *contact)
{
	struct pg_params *params = pg_params_new(tx->pool);
	pg_param_int4(params, contact->id);
	pg_param_int4(params, contact->tenant_id);
	pg_param_text_array(params, contact->numbers, contact->n_numbers);
	store_tx_add(tx, &numbers_insert, params);
}

void store_contact_add(struct store_tx *tx, const struct store_contact *contact)
{
	struct pg_params *params = pg_params_new(tx->pool);
	param_contact(params, contact, contact->created_at);
	store_tx_add(tx, &contact_insert, params);
	numbers_add(tx, contact);
}

void store_contact_list(struct api_store *store, int32_t tenant_id, int32_t after, int limit,
	pg_done_fn fn, void *ctx)
{
	struct pool *pool = pool_new();
	struct pg_params *params = pg_params_new(pool);
	pg_param_int4(params, tenant_id);
	pg_param_int4(params, after);
	pg_param_int4(params, limit);
	store_run(store, &contact_list, params, fn, ctx);
	pool_free(&pool);
}

void store_contact_get(
	struct api_store *store, int32_t tenant_id, int32_t id, pg_done_fn fn, void *ctx)
{
	struct pool *pool = pool_new();
	struct pg_params *params = pg_params_new(pool);
	pg_param_int4(params, tenant_id);
	pg_param_int4(params, id);
	store_run(store, &contact_get, params, fn, ctx);
	pool_free(&pool);
}

void store_contact_of_numbers(struct api_store *store, int32_t tenant_id,
	const struct strview *numbers, int n_numbers, pg_done_fn fn, void *ctx)
{
	struct pool *pool = pool_new();
	struct pg_params *params = pg_params_new(pool);
	pg_param_int4(params, tenant_id);
	pg_param_text_array(params, numbers, n_numbers);
	store_run(store, &contact_of_numbers, params, fn, ctx);
	pool_free(&pool);
}

void store_contact_change(struct store_tx *tx, const struct store_contact *contact,
	const struct store_contact_set *set)
{
	struct pg_params *params = pg_params_new(tx->pool);
	param_contact(params, contact, contact->updated_at);
	pg_param_bool(params, set->first_name);
	pg_param_bool(params, set->last_name);
	pg_param_bool(params, set->email);
	pg_param_bool(params, set->metadata);
	store_tx_add(tx, &contact_change, params);
	if (!set->numbers)
		return;
	/* All go and come back: positions are unique, so that they cannot be swapped one by one. */
	params = pg_params_new(tx->pool);
	pg_param_int4(params, contact->id);
	pg_param_int4(params, contact->tenant_id);
	store_tx_add(tx, &numbers_delete, params);
	numbers_add(tx, contact);
}

struct store_contact store_contact_at(const struct pg_result *result, int row, struct pool *pool)
{
	struct strview *numbers;
	struct store_contact contact = {
		.id = (int32_t)pg_int(result, row, 0),
		.tenant_id = (int32_t)pg_int(result, row, 1),
		.first_name = pool_sv(pool, pg_text(result, row, 2)),
		.last_name = pool_sv(pool, pg_text(result, row, 3)),
		.email = pool_sv(pool, pg_text(result, row, 4)),
		.metadata = pool_sv(pool, pg_text(result, row, 5)),
		.created_at = pg_time(result, row, 6),
		.updated_at = pg_time(result, row, 7),
	};
	contact.n_numbers = pg_text_array(result, row, 8, pool, &numbers);
	contact.numbers = numbers;
	return contact;
}
