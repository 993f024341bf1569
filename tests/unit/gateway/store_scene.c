#include "tests/support/test.h"

#include "tests/unit/gateway/store_scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/base/strbuf.h"

#define WAIT_MS 10000

static const char *database_url(void)
{
	const char *url = getenv("WA_TEST_DATABASE_URL");
	assert_non_null(url);
	return url;
}

/* Everything that the command writes; NULL when it fails, after what it wrote was shown. */
static char *run(const char *command)
{
	struct strbuf out = STRBUF_INIT;
	char piece[4096];
	size_t len;
	FILE *pipe = popen(command, "r");
	assert_non_null(pipe);
	while ((len = fread(piece, 1, sizeof(piece), pipe)) > 0)
		strbuf_append(&out, piece, len);
	int status = pclose(pipe);
	if (status != 0)
		print_error("%s\n", strbuf_cstr(&out));
	char *text = status == 0 ? mem_strdup(strbuf_cstr(&out)) : NULL;
	strbuf_deinit(&out);
	return text;
}

const char *scene_sql(struct scene *scene, const char *fmt, ...)
{
	char sql[8192];
	va_list args;
	va_start(args, fmt);
	int len = vsnprintf(sql, sizeof(sql), fmt, args);
	va_end(args);
	assert_true(len >= 0 && (size_t)len < sizeof(sql));
	/* Through a file: no quoting. */
	char path[] = "/tmp/gateway_scene.XXXXXX";
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, sql, (size_t)len), len);
	(void)close(fd);
	char *command = pool_printf(
		scene->pool, "psql -qAtX -v ON_ERROR_STOP=1 -f %s '%s' 2>&1", path, database_url());
	char *output = run(command);
	(void)unlink(path);
	if (output == NULL)
		fail_msg("SQL failed: %s", sql);
	const char *kept = pool_strdup(scene->pool, output);
	mem_free(output);
	return kept;
}

void scene_expect(struct scene *scene, const char *sql, const char *want)
{
	char *got = pool_strdup(scene->pool, scene_sql(scene, "%s", sql));
	size_t len = strlen(got);
	if (len > 0 && got[len - 1] == '\n')
		got[len - 1] = '\0';
	assert_string_equal(got, want);
}

static void migrate(struct scene *scene)
{
	(void)scene_sql(scene,
		"CREATE ROLE wa LOGIN SUPERUSER; CREATE ROLE api LOGIN; CREATE ROLE sender LOGIN;"
		" CREATE ROLE gateway LOGIN; CREATE ROLE webhooker LOGIN;");
	char *command = pool_printf(scene->pool,
		"set -e; for file in '%s'/deploy/sql/*.sql; do"
		" psql -qAtX -1 -v ON_ERROR_STOP=1 -f \"$file\" '%s' >/dev/null; done",
		SOURCE_ROOT, database_url());
	char *output = run(command);
	assert_non_null(output);
	mem_free(output);
}

static int conn_is_up(void *ctx)
{
	const struct scene *scene = ctx;
	return pg_conn_is_up(scene->conn);
}

int scene_setup(void **state)
{
	struct scene *scene = mem_new(struct scene);
	scene->pool = pool_new();
	scene->loop = loop_new();
	migrate(scene);
	/* The rights of the gateway's role are under test too. */
	const char *url = strstr(database_url(), "postgres@");
	assert_non_null(url);
	char *own_url =
		pool_printf(scene->pool, "postgresql://gateway@%s", url + strlen("postgres@"));
	struct pg_conn_options options = {.url = own_url, .app_name = "test", .plan_once = true};
	scene->conn = pg_conn_new(scene->loop, &options, NULL, NULL);
	assert_true(loop_run_until(scene->loop, conn_is_up, scene, WAIT_MS));
	*state = scene;
	return 0;
}

int scene_teardown(void **state)
{
	struct scene *scene = *state;
	pg_conn_free(&scene->conn);
	loop_free(&scene->loop);
	pool_free(&scene->pool);
	mem_free(scene);
	return 0;
}

int scene_reset(void **state)
{
	struct scene *scene = *state;
	(void)scene_sql(scene,
		"TRUNCATE messages, conversations, events, deliveries, set_aside, media, "
		"session_keys, message_changes, "
		"contact_numbers, webhooks,"
		" sandbox.ledger, sandbox.tries, sandbox.inbound CASCADE;"
		" DELETE FROM contacts; DELETE FROM sessions WHERE id > 1; DELETE FROM tenants "
		"WHERE id > 1;"
		" UPDATE sessions SET state = 'starting', reason = NULL, phone_number = NULL, "
		"tenant_id = NULL;"
		" UPDATE leases SET owner = NULL, epoch = 0, expires_at = NULL;"
		" INSERT INTO contacts (id, tenant_id) VALUES (10, 1);"
		" ALTER TABLE contacts ALTER COLUMN id RESTART WITH 11;"
		" INSERT INTO leases (kind, id) VALUES ('session', 1) ON CONFLICT DO NOTHING;"
		" UPDATE leases SET owner = 'me', epoch = %d, expires_at = now() + interval '1 "
		"hour'"
		" WHERE kind = 'session' AND id = 1 OR kind = 'partition' AND id = 3;",
		SCENE_EPOCH);
	return 0;
}

void scene_on_done(void *ctx, const struct pg_result *result)
{
	struct scene *scene = ctx;
	if (pg_status(result) != PG_OK)
		fail_msg("%s: %s", pg_status_name(pg_status(result)), pg_err(result)->text);
	if (scene->on_result != NULL)
		scene->on_result(scene->ctx, result);
	scene->is_done = true;
}

static int is_done(void *ctx)
{
	const struct scene *scene = ctx;
	return scene->is_done;
}

void scene_wait(struct scene *scene, void (*on_result)(void *ctx, const struct pg_result *result),
	void *ctx)
{
	scene->is_done = false;
	scene->on_result = on_result;
	scene->ctx = ctx;
	assert_true(loop_run_until(scene->loop, is_done, scene, WAIT_MS));
}

void scene_message(struct scene *scene, const char *id, const char *phone, int64_t queue_seq,
	const char *columns)
{
	(void)scene_sql(scene,
		"INSERT INTO messages (id, tenant_id, contact_id, session_id, partition, "
		"direction, type, status, open,"
		" queue_seq, created_at, wa_message_id, phone, body)"
		" VALUES ('%s', 1, 10, 1, 3, 0, 1, 2, true, %lld, now(), 'WA_%s', '%s', 'hello');"
		" UPDATE messages SET id = id %s WHERE id = '%s';",
		id, (long long)queue_seq, id, phone, columns, id);
}
