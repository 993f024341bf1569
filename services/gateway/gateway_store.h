/* What the gateway's SQL files share. All SQL of the gateway is in gateway_store_*.c; the sandbox's
 * own in sandbox_store.c. */
#ifndef WA_GATEWAY_GATEWAY_STORE_H
#define WA_GATEWAY_GATEWAY_STORE_H

#define GATEWAY_QUERY_TIMEOUT_MS 5000

/* SQL keeps its own lines. */
/* clang-format off */

/*
 * The session leases that the facts, moves or messages of a statement rest on, locked so that a
 * take-over (which takes FOR UPDATE) waits for our commit. FOR SHARE would hold up our own renewals
 * too, and under load for good: there is always another sharer.
 */
#define GATEWAY_SQL_HELD(source)                                                                   \
	"held AS MATERIALIZED ("                                                                   \
	" SELECT l.id, l.epoch"                                                                    \
	" FROM leases l"                                                                           \
	" WHERE l.kind = 'session' AND l.id IN (SELECT s.session_id FROM " source " s)"            \
	" AND l.expires_at > clock_timestamp()"                                                    \
	" ORDER BY l.id"                                                                           \
	" FOR KEY SHARE)"

/*
 * Emits the rows of a CTE `happened` (tenant_id, contact_id, message_id, type, at, data), ordered
 * by (message_id, type): gives `told`, one row for each event and endpoint that wants it.
 */
#define GATEWAY_SQL_TOLD                                                                           \
	"told AS MATERIALIZED ("                                                                   \
	" SELECT t.ret_sequence AS sequence, t.ret_created_at AS created_at,"                      \
	" t.ret_webhook_id AS webhook_id, a.tenants[t.ret_ord] AS tenant_id,"                      \
	" a.contacts[t.ret_ord] AS contact_id, a.messages[t.ret_ord] AS message_id,"               \
	" a.types[t.ret_ord] AS type"                                                              \
	" FROM (SELECT array_agg(h.tenant_id) AS tenants,"                                         \
	" array_agg(h.contact_id) AS contacts, array_agg(h.message_id) AS messages,"               \
	" array_agg(h.type) AS types, array_agg(h.at) AS ats,"                                     \
	" array_agg(h.data) AS data FROM (SELECT * FROM happened ORDER BY message_id,"             \
	" type) h) a"                                                                              \
	" CROSS JOIN LATERAL emit_events(a.tenants, a.contacts, a.messages, a.types,"              \
	" a.ats, a.data) t)"

/* clang-format on */

#endif
