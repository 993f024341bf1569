/* What the parts of the Baileys engine share: the engine, and one line for each opening of a
 * session. */
#ifndef WA_GATEWAY_BAILEYS_H
#define WA_GATEWAY_BAILEYS_H

#include <stdbool.h>
#include <sys/queue.h>

#include "common/base/secret_box.h"
#include "common/io/pg_conn.h"
#include "services/gateway/baileys_worker.h"
#include "services/gateway/engine.h"
#include "services/gateway/keyed.h"

struct baileys_uploads;

struct baileys { /* of this process */
	struct loop *loop;
	const struct settings *settings;
	char *url;
	struct secret_box *box;
	struct pg_conn *conn;       /* keys, and what the worker asks for; NULL: it cannot work */
	struct pg_conn *media_conn; /* a large file holds up no key */
	struct media_keeper *keeper;
	struct baileys_worker *worker;
	TAILQ_HEAD(, baileys_line) lines;
	struct keyed *by_number;
	int64_t last_number;
	int n_asks; /* questions that wait for Postgres */
	struct baileys_uploads *uploads;
	struct loop_turn *turn;
	struct loop_timer *sweep_timer;
	struct loop_timer *warm_timer;
};

enum baileys_line_state {
	BAILEYS_LINE_WAITING, /* for the worker and for its credentials */
	BAILEYS_LINE_OPEN,    /* the worker has it */
	BAILEYS_LINE_BROKEN,  /* waits to be closed */
};

struct baileys_line {
	TAILQ_ENTRY(baileys_line) link;
	struct keyed_node node;
	struct baileys *baileys;
	int64_t number; /* the worker's name for this opening */
	int32_t session_id;
	int64_t epoch;
	const struct engine_events *events;
	void *ctx;
	enum baileys_line_state state;
	enum session_state reported;
	bool is_loading;        /* its credentials are being read */
	char pairing_phone[16]; /* digits; for whom the code to type was asked */
	TAILQ_HEAD(, baileys_ask) asks;
};

/* Of baileys_line.c */
struct baileys_line *baileys_line_new(struct baileys *baileys, const struct engine_session *session,
	const struct engine_events *events, void *ctx);
void baileys_line_free(struct baileys_line **line, enum engine_close why);
void baileys_line_worker_up(struct baileys_line *line);
void baileys_line_break(struct baileys_line *line, const char *reason); /* once; later ones pass */
void baileys_line_take(struct baileys_line *line, const struct baileys_frame *frame);
void baileys_line_send(struct baileys_line *line, const struct engine_message *message);
void baileys_line_acknowledge(struct baileys_line *line, int64_t token);
void baileys_line_pair(struct baileys_line *line, struct strview phone);

/* Of baileys_answers.c: questions of the worker that Postgres answers. */
void baileys_answer(struct baileys_line *line, const struct baileys_frame *frame);
void baileys_answers_forget(struct baileys_line *line);

/* Of baileys_uploads.c: files that come in parts. */
struct baileys_uploads *baileys_uploads_new(struct baileys *baileys);
void baileys_uploads_free(struct baileys_uploads **uploads);
void baileys_uploads_take(struct baileys_uploads *uploads, struct baileys_line *line,
	const struct baileys_frame *frame);
void baileys_uploads_forget(struct baileys_uploads *uploads, const struct baileys_line *line);

/* Of engine_baileys.c: send a frame and empty it; nothing happens while the worker is away. */
void baileys_post(struct baileys *baileys, struct strbuf *frame);

#endif
