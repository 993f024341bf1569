/*
 * A Postgres, an HTTP server and a daemon of paper for the tests of what stands between them:
 * queries wait in a list until the test answers them, answers are noted and free their call's
 * memory as the real server does.
 */
#ifndef WA_TESTS_API_FAKE_STORE_H
#define WA_TESTS_API_FAKE_STORE_H

#include "common/io/pg_pool.h"
#include "services/api/api_call.h"
#include "services/api/api_store_accept.h"
#include "services/api/problem.h"

/* What the fakes answer queries with. */
struct pg_result {
	enum pg_status status;
	bool is_retryable;
	int n_rows;
	const struct strview *ids; /* of written messages */
	const int64_t *seqs;
	const struct store_explanation *explanation;
	const struct store_resolved *resolved;
	int64_t number;              /* for pg_int() */
	const struct caller *caller; /* NULL: no such key */
	int64_t expires_at;
};

enum fake_kind { FAKE_WRITE, FAKE_EXPLAIN, FAKE_RESOLVE, FAKE_MAKE_CONTACTS, FAKE_KEY, FAKE_COUNT };

struct fake_query {
	enum fake_kind kind;
	pg_done_fn fn;
	void *ctx;
	bool again; /* FAKE_WRITE */
	int n_rows;
	const struct store_accept *rows[STORE_ACCEPT_MAX];
	struct store_resolve questions[STORE_ACCEPT_MAX];
};

#define FAKE_MAX_QUERIES 64
#define FAKE_MAX_ANSWERS 8192

struct fake_answer {
	int status;
	enum problem problem; /* for 4xx and 5xx */
	bool is_replayed;
	char field[64]; /* of a validation error */
	char body[256];
};

struct fake {
	struct loop *loop;
	struct metrics *metrics;
	bool conns_are_up;
	bool backlog_is_full;
	int n_queries; /* not yet answered, oldest first */
	struct fake_query queries[FAKE_MAX_QUERIES];
	int n_answers;
	struct fake_answer answers[FAKE_MAX_ANSWERS];
	struct api_call *open_calls;
	int n_published;
	int64_t published_seq;
	int n_backlog_notes;
};
extern struct fake fake;

void fake_start(void);
void fake_end(void);
/* Let the loop run what is due. */
void fake_turn(void);
/* Answer the oldest query of this kind. There must be one. */
void fake_reply(enum fake_kind kind, const struct pg_result *result);
/* The oldest of this kind; NULL. */
const struct fake_query *fake_find(enum fake_kind kind);
/* A call; those that are not answered go with fake_end(), as they go with the real server. */
struct api_call *fake_call_new(struct api *api);
void fake_call_end(struct api_call *call);

#endif
