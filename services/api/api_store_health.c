/* SQL of health. */
#include "services/api/api_store_health.h"

static const struct pg_stmt health = {"api_health",
	"WITH l AS (SELECT count(*) FILTER (WHERE kind = 'partition') AS partitions,"
	" count(*) FILTER (WHERE kind = 'partition' AND expires_at > clock_timestamp()) AS p_held,"
	" count(*) FILTER (WHERE kind = 'events') AS events,"
	" count(*) FILTER (WHERE kind = 'events' AND expires_at > clock_timestamp()) AS e_held"
	" FROM leases)"
	" SELECT l.partitions, l.p_held, l.events, l.e_held, s.id, s.state,"
	" EXISTS (SELECT FROM leases x WHERE x.kind = 'session' AND x.id = s.id"
	" AND x.expires_at > clock_timestamp())"
	" FROM l LEFT JOIN sessions s ON s.deleted_at IS NULL ORDER BY s.id LIMIT 200"};

void store_health(struct api_store *store, int64_t timeout_ms, pg_done_fn fn, void *ctx)
{
	store_run_within(store, timeout_ms, &health, NULL, fn, ctx);
}

struct store_health_session store_health_session_at(const struct pg_result *result, int row)
{
	return (struct store_health_session){
		.id = (int32_t)pg_int(result, row, 4),
		.state = pg_text(result, row, 5),
		.is_led = pg_bool(result, row, 6),
	};
}

struct store_health_leases store_health_leases_at(const struct pg_result *result)
{
	return (struct store_health_leases){
		.partitions = pg_int(result, 0, 0),
		.partitions_held = pg_int(result, 0, 1),
		.events = pg_int(result, 0, 2),
		.events_held = pg_int(result, 0, 3),
	};
}
