/* SQL of replays. */
#include "services/api/api_store_replay.h"

/*
 * An event that the endpoint was owed is owed again, with its count of attempts; one that it never
 * was (it was paused, or not yet there) becomes so, if it subscribes to its type. `test` goes to
 * nobody but the endpoint it was made for.
 */
static const struct pg_stmt replay = {"api_replay",
	"WITH w AS MATERIALIZED (SELECT id, tenant_id, event_mask FROM webhooks"
	"  WHERE public_id = $2::text AND tenant_id = $1::int4 AND deleted_at IS NULL"
	"), chosen AS MATERIALIZED (SELECT e.sequence, e.created_at, e.contact_id, e.message_id,"
	"  e.type, w.id AS webhook_id, w.tenant_id, d.webhook_id IS NOT NULL AS was_owed"
	"  FROM w JOIN events e ON e.tenant_id = w.tenant_id"
	"  LEFT JOIN deliveries d ON d.webhook_id = w.id AND d.sequence = e.sequence"
	"   AND d.created_at = e.created_at"
	"  WHERE ($3::int8 IS NULL OR e.sequence = $3::int8)"
	"  AND ($4::timestamptz IS NULL OR e.created_at >= $4::timestamptz)"
	"  AND ($5::timestamptz IS NULL OR e.created_at < $5::timestamptz)"
	"  AND ($6::int4 = 0 OR ($6::int4 & (1 << e.type)) <> 0)"
	"  AND CASE WHEN d.webhook_id IS NOT NULL"
	"   THEN NOT d.open AND ($7::int2 IS NULL OR d.status = $7::int2)"
	"   ELSE $7::int2 IS NULL AND e.type <> 11"
	"   AND ($6::int4 <> 0 OR (w.event_mask & (1 << e.type)) <> 0) END"
	"  ORDER BY e.sequence LIMIT $8::int4 + 1"
	"), few AS (SELECT 1 FROM chosen HAVING count(*) <= $8::int4"
	"), again AS (UPDATE deliveries d"
	"  SET open = true, status = 0, next_attempt_at = NULL, error = NULL"
	"  FROM chosen c, few WHERE c.was_owed AND d.webhook_id = c.webhook_id"
	"  AND d.sequence = c.sequence AND d.created_at = c.created_at AND NOT d.open"
	"), added AS (INSERT INTO deliveries"
	"  (created_at, webhook_id, sequence, tenant_id, contact_id, partition, event_type)"
	"  SELECT c.created_at, c.webhook_id, c.sequence, c.tenant_id, c.contact_id,"
	"  event_partition(c.contact_id), c.type FROM chosen c, few WHERE NOT c.was_owed"
	"  ON CONFLICT DO NOTHING)"
	" SELECT sequence, created_at, coalesce(contact_id, 0), coalesce(message_id, ''), type,"
	" webhook_id FROM chosen ORDER BY sequence"};

void store_replay_add(struct store_tx *tx, const struct store_replay *what)
{
	struct pg_params *params = pg_params_new(tx->pool);
	pg_param_int4(params, what->tenant_id);
	pg_param_text(params, what->webhook_id);
	if (what->sequence == PG_INT_NULL)
		pg_param_null(params);
	else
		pg_param_int8(params, what->sequence);
	pg_param_time(params, what->from);
	pg_param_time(params, what->to);
	pg_param_int4(params, what->event_mask);
	if (what->status == PG_INT_NULL)
		pg_param_null(params);
	else
		pg_param_int2(params, (int16_t)what->status);
	pg_param_int4(params, what->max);
	store_tx_add(tx, &replay, params);
}

struct store_replayed store_replayed_at(const struct pg_result *result, int row)
{
	return (struct store_replayed){
		.sequence = pg_int(result, row, 0),
		.created_at = pg_time(result, row, 1),
		.contact_id = (int32_t)pg_int(result, row, 2),
		.message_id = pg_text(result, row, 3),
		.event_type = (int)pg_int(result, row, 4),
		.webhook_id = (int32_t)pg_int(result, row, 5),
	};
}
