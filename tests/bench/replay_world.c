/* Rows made and counted with plain SQL. */
#include "tests/bench/replay_world.h"

#include <inttypes.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/attr.h"
#include "common/model/event_type.h"

#define LEASE_FOR "interval '1 hour'"

#define MAX_PARAMS 3

/* libpq ends its messages with a line break. */
static void err_of(PGconn *pq, struct err *err)
{
	const char *text = PQerrorMessage(pq);
	(void)err_set(err, "%.*s", (int)strcspn(text, "\n"), text);
}

static PGconn *world_open(const char *url, struct err *err)
{
	PGconn *pq = PQconnectdb(url);
	if (PQstatus(pq) == CONNECTION_OK) {
		PGresult *result =
			PQexec(pq, "SET lock_timeout = '5s'; SET statement_timeout = '60s'");
		bool is_set = PQresultStatus(result) == PGRES_COMMAND_OK;
		PQclear(result);
		if (is_set)
			return pq;
	}
	err_of(pq, err);
	PQfinish(pq);
	return NULL;
}

/* Rows, or NULL with err set. */
static PGresult *run(
	PGconn *pq, const char *sql, int n_params, const int64_t *params, struct err *err)
{
	char texts[MAX_PARAMS][24];
	const char *values[MAX_PARAMS];
	for (int i = 0; i < n_params; i++) {
		(void)snprintf(texts[i], sizeof(texts[i]), "%" PRId64, params[i]);
		values[i] = texts[i];
	}
	PGresult *result = PQexecParams(pq, sql, n_params, NULL, values, NULL, NULL, 0);
	ExecStatusType status = PQresultStatus(result);
	if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK)
		return result;
	err_of(pq, err);
	PQclear(result);
	return NULL;
}

static int64_t number_at(const PGresult *result, int row, int col)
{
	return strtoll(PQgetvalue(result, row, col), NULL, 10);
}

static int run_for_number(PGconn *pq, const char *sql, int n_params, const int64_t *params,
	int64_t *ret_number, struct err *err)
{
	PGresult *result = run(pq, sql, n_params, params, err);
	if (result == NULL)
		return -1;
	*ret_number = number_at(result, 0, 0);
	PQclear(result);
	return 0;
}

static int make_tenant(PGconn *pq, struct world *world, struct err *err)
{
	int64_t tenant;
	int64_t session;
	if (run_for_number(pq, "INSERT INTO tenants (name) VALUES ('Replay') RETURNING id", 0, NULL,
		    &tenant, err) != 0 ||
		run_for_number(pq,
			"INSERT INTO sessions (tenant_id, engine, name, state)"
			" VALUES ($1, 'sandbox', 'replay', 'connected') RETURNING id",
			1, &tenant, &session, err) != 0)
		return -1;
	world->tenant_id = (int32_t)tenant;
	world->session_id = (int32_t)session;
	int64_t mask = 1 << EVENT_MESSAGE_DELIVERED;
	if (world->is_full)
		mask |= 1 << EVENT_MESSAGE_SENT | 1 << EVENT_MESSAGE_READ;
	int64_t params[] = {tenant, mask};
	int64_t webhook;
	return run_for_number(pq,
		"INSERT INTO webhooks (public_id, tenant_id, url, event_mask, active)"
		" VALUES ('wh_replay' || $1::int, $1, 'http://127.0.0.1:9/', $2, true)"
		" RETURNING id",
		2, params, &webhook, err);
}

static int make_contacts(PGconn *pq, struct world *world, struct err *err)
{
	/* No number ends like one of the sandbox's with a fate of its own. */
	int64_t params[] = {world->tenant_id, WORLD_CONTACTS};
	PGresult *result = run(pq,
		"WITH c AS (INSERT INTO contacts (tenant_id, first_name)"
		" SELECT $1, 'c' FROM generate_series(1, $2::int) RETURNING id)"
		" INSERT INTO contact_numbers (tenant_id, phone, contact_id)"
		" SELECT $1, '+49' || (1700000000 + id::int8 * 10 + 7), id FROM c"
		" RETURNING contact_id, phone",
		2, params, err);
	if (result == NULL)
		return -1;
	for (int i = 0; i < WORLD_CONTACTS; i++) {
		world->contacts[i].id = (int32_t)number_at(result, i, 0);
		(void)snprintf(world->contacts[i].phone, sizeof(world->contacts[i].phone), "%s",
			PQgetvalue(result, i, 1));
	}
	PQclear(result);
	return 0;
}

static void note_lease(struct world *world, const char *kind, int64_t id, int64_t epoch)
{
	if (strcmp(kind, "session") == 0) {
		if (id == world->session_id)
			world->session_epoch = epoch;
	} else if (strcmp(kind, "partition") == 0) {
		world->partition_epochs[id % OUTBOUND_PARTITIONS] = epoch;
	} else {
		world->event_epochs[id % EVENT_PARTITIONS] = epoch;
	}
}

static int take_leases(PGconn *pq, struct world *world, struct err *err)
{
	int64_t params[] = {world->session_id, getpid()};
	PGresult *made =
		run(pq, "INSERT INTO leases (kind, id) VALUES ('session', $1)", 1, params, err);
	if (made == NULL)
		return -1;
	PQclear(made);
	PGresult *result = run(pq,
		"UPDATE leases SET owner = 'replay-' || $2::int, epoch = epoch + 1,"
		" expires_at = now() + " LEASE_FOR
		" WHERE kind IN ('partition', 'events') OR (kind = 'session' AND id = $1)"
		" RETURNING kind, id, epoch",
		2, params, err);
	if (result == NULL)
		return -1;
	for (int row = 0; row < PQntuples(result); row++)
		note_lease(world, PQgetvalue(result, row, 0), number_at(result, row, 1),
			number_at(result, row, 2));
	PQclear(result);
	return 0;
}

int world_make(const char *url, bool is_full, struct world *ret_world, struct err *err)
{
	static struct world world;
	PGconn *pq = world_open(url, err);
	if (pq == NULL)
		return -1;
	world = (struct world){.is_full = is_full};
	(void)snprintf(world.owner, sizeof(world.owner), "replay-%d", (int)getpid());
	bool is_made = make_tenant(pq, &world, err) == 0 && make_contacts(pq, &world, err) == 0 &&
		       take_leases(pq, &world, err) == 0;
	PQfinish(pq);
	if (!is_made)
		return -1;
	*ret_world = world;
	return 0;
}

/* Each gives a number and how many times the messages it must be. */
static const struct {
	const char *what;
	const char *sql;
	int lean;
	int full;
} checks[] = {
	{"messages", "SELECT count(*) FROM messages WHERE tenant_id = $1", 1, 1},
	{"messages read",
		"SELECT count(*) FROM messages WHERE tenant_id = $1 AND status = 6 AND NOT open"
		" AND attempts = 1 AND sent_at IS NOT NULL AND delivered_at IS NOT NULL"
		" AND read_at IS NOT NULL",
		1, 1},
	{"events", "SELECT count(*) FROM events WHERE tenant_id = $1", 3, 3},
	{"deliveries", "SELECT count(*) FROM deliveries WHERE tenant_id = $1", 1, 3},
	{"deliveries closed",
		"SELECT count(*) FROM deliveries WHERE tenant_id = $1 AND NOT open AND status = 1"
		" AND attempts = 1 AND http_status = 200",
		1, 3},
	{"messages in the sandbox's ledger, receipts acknowledged",
		"SELECT count(*) FROM sandbox.ledger WHERE tenant_id = $1 AND NOT pending"
		" AND receipt_level = 2 AND copies = 1",
		1, 1},
	{"idempotency keys", "SELECT count(*) FROM idempotency_keys WHERE tenant_id = $1", 0, 1},
	{"messages with a ref and metadata",
		"SELECT count(*) FROM messages WHERE tenant_id = $1 AND external_ref IS NOT NULL"
		" AND metadata IS NOT NULL",
		0, 1},
};

static int check_all(PGconn *pq, const struct world *world, int64_t n_messages, struct err *err)
{
	int64_t tenant = world->tenant_id;
	for (size_t i = 0; i < array_len(checks); i++) {
		int64_t want = n_messages * (world->is_full ? checks[i].full : checks[i].lean);
		int64_t number;
		if (run_for_number(pq, checks[i].sql, 1, &tenant, &number, err) != 0)
			return -1;
		if (number != want)
			return err_set(err, "%s: %" PRId64 ", should be %" PRId64, checks[i].what,
				number, want);
	}
	return 0;
}

int world_check(const char *url, const struct world *world, int64_t n_messages, struct err *err)
{
	PGconn *pq = world_open(url, err);
	if (pq == NULL)
		return -1;
	int result = check_all(pq, world, n_messages, err);
	PQfinish(pq);
	return result;
}

int world_leave(const char *url, const struct world *world, struct err *err)
{
	static const char *const steps[] = {
		"DELETE FROM leases WHERE kind = 'session' AND id = $1 AND $2::int > 0",
		"UPDATE sessions SET deleted_at = now() WHERE id = $1 AND $2::int > 0",
		("UPDATE leases SET owner = NULL, expires_at = NULL"
		 " WHERE owner = 'replay-' || $2::int AND $1::int > 0"),
	};
	int64_t params[] = {world->session_id, getpid()};
	PGconn *pq = world_open(url, err);
	if (pq == NULL)
		return -1;
	int ret = 0;
	for (size_t i = 0; i < array_len(steps) && ret == 0; i++) {
		PGresult *result = run(pq, steps[i], 2, params, err);
		ret = result != NULL ? 0 : -1;
		PQclear(result);
	}
	PQfinish(pq);
	return ret;
}
