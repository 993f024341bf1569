/* The lane of incoming messages: one statement in flight. */
#include "services/gateway/inbound.h"

#include <stdio.h>
#include <string.h>
#include <sys/queue.h>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/json.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/io/marked_step.h"
#include "common/model/id.h"
#include "common/model/partition.h"
#include "common/model/phone.h"
#include "services/gateway/gateway.h"
#include "services/gateway/gateway_store_inbound.h"
#include "services/gateway/gateway_store_progress.h"
#include "services/gateway/inbound_asides.h"
#include "services/gateway/media.h"
#include "services/gateway/media_keep.h"
#include "services/gateway/publish.h"
#include "services/gateway/ranges.h"
#include "services/gateway/session_set.h"
#include "services/gateway/text_clean.h"

#define BATCH_MAX          200
#define WAITING_MAX        2000
#define MAX_BODY_BYTES     65536
#define MAX_FILENAME_BYTES 255
#define MAX_WA_ID_BYTES    127
#define MEDIA_TRIES        2
#define REFUSALS           3 /* by Postgres, of a message alone; then it is set aside */
#define MAX_FETCHING       4 /* each may hold WA_MEDIA_MAX_BYTES */

enum item_state {
	ITEM_READY,
	ITEM_WANTS_MEDIA, /* not asked for yet, or to be asked for again */
	ITEM_FETCHING,
	ITEM_STORING, /* its media is on its way to where it is kept */
	ITEM_IN_BATCH,
};

struct item {
	TAILQ_ENTRY(item) link;
	struct inbound *inbound;
	struct pool *pool; /* of its texts */
	enum item_state state;
	struct gateway_inbound row;
	char message_id[ID_SIZE];
	char sha256[MEDIA_SHA256_SIZE];
	int64_t token;
	int media_tries;
	int n_refused; /* while alone in a statement */
	struct media_fetch *fetch;
	struct media_keep *keep;
	int place;                         /* in the batch, while it is there */
	bool is_dropped;                   /* then: its session is lost */
	char why[sizeof(struct err) + 32]; /* it is set aside */
};
TAILQ_HEAD(items, item);

struct inbound {
	struct gateway *gateway;
	struct items items; /* oldest first, those of the batch among them */
	int n_items;
	struct item *batch[BATCH_MAX];
	int n_batch;
	struct ranges ranges;
	bool is_busy;
	struct loop_turn *turn;
	struct loop_timer *retry;
};

static void on_turn(void *ctx);

static void on_retry(void *ctx)
{
	struct inbound *inbound = ctx;
	loop_turn_request(inbound->turn);
}

struct inbound *inbound_new(struct gateway *gateway)
{
	struct inbound *inbound = mem_new(struct inbound);
	inbound->gateway = gateway;
	TAILQ_INIT(&inbound->items);
	inbound->turn = loop_turn_new(gateway->loop, "inbound", on_turn, inbound);
	inbound->retry = loop_timer_new(gateway->loop, "inbound_retry", on_retry, inbound);
	return inbound;
}

static void item_free(struct item *item)
{
	struct inbound *inbound = item->inbound;
	media_fetch_cancel(&item->fetch);
	media_keep_cancel(&item->keep);
	TAILQ_REMOVE(&inbound->items, item, link);
	inbound->n_items--;
	pool_free(&item->pool);
	mem_free(item);
}

void inbound_free(struct inbound **inbound)
{
	if (*inbound == NULL)
		return;
	pg_conn_forget((*inbound)->gateway->session_conn, *inbound);
	struct item *item;
	while ((item = TAILQ_FIRST(&(*inbound)->items)) != NULL)
		item_free(item);
	loop_turn_free(&(*inbound)->turn);
	loop_timer_free(&(*inbound)->retry);
	mem_free(*inbound);
	*inbound = NULL;
}

int inbound_waiting(const struct inbound *inbound)
{
	return inbound->n_items;
}

static struct strview clean(struct pool *pool, struct strview text, size_t max_bytes)
{
	if (sv_is_null(text))
		return SV_NULL;
	struct strbuf cleaned = STRBUF_INIT;
	text_clean(text, max_bytes, &cleaned);
	struct strview copy = pool_sv(pool, strbuf_view(&cleaned));
	strbuf_deinit(&cleaned);
	return copy;
}

/* JSON as Postgres takes it, or nothing: an engine passes on what others sent it. */
static struct strview detail_checked(struct pool *pool, struct strview detail)
{
	struct err err;
	if (sv_is_null(detail) || detail.len > MAX_BODY_BYTES)
		return SV_NULL;
	struct json *value = json_parse(detail, &err);
	if (value == NULL)
		return SV_NULL;
	struct strbuf text = STRBUF_INIT;
	json_format(value, &text);
	json_free(&value);
	struct strview copy = pool_sv(pool, strbuf_view(&text));
	strbuf_deinit(&text);
	return copy;
}

static struct engine_key *copy_keys(struct pool *pool, const struct engine_inbound *message)
{
	struct engine_key *keys = pool_array(pool, (size_t)message->n_keys, sizeof(*keys));
	for (int i = 0; i < message->n_keys; i++) {
		keys[i].name = pool_sv(pool, message->keys[i].name);
		keys[i].sealed = pool_sv(pool, message->keys[i].sealed);
	}
	return keys;
}

int inbound_push(struct inbound *inbound, int32_t session_id, int64_t session_epoch,
	const struct engine_inbound *message)
{
	if (inbound->n_items >= WAITING_MAX)
		return -1;
	if (message->kind != ENGINE_INBOUND_NOTHING && !phone_is(message->phone)) {
		log_warn("inbound_without_phone", log_int("session", session_id));
		return 0;
	}
	struct item *item = mem_new(struct item);
	item->inbound = inbound;
	item->pool = pool_new();
	item->token = message->token;
	id_new("msg", clock_wall_ms(), item->message_id);
	item->row = (struct gateway_inbound){
		.kind = message->kind,
		.is_from_me = message->is_from_me,
		.message_id = sv_from(item->message_id),
		.wa_message_id = pool_sv(item->pool, message->wa_message_id),
		.phone = pool_sv(item->pool, message->phone),
		.session_id = session_id,
		.session_epoch = session_epoch,
		.tenant_id = message->tenant_id,
		.partition = partition_of_conversation(session_id, message->phone),
		.type = message->type,
		.body = clean(item->pool, message->body, MAX_BODY_BYTES),
		.filename = clean(item->pool, message->filename, MAX_FILENAME_BYTES),
		.media_url = clean(item->pool, message->media_url, URL_MAX_BYTES),
		.media_sha256 = pool_sv(item->pool, message->media_sha256),
		.target_wa_id = clean(item->pool, message->target_wa_id, MAX_WA_ID_BYTES),
		.reply_to = clean(item->pool, message->reply_to, MAX_WA_ID_BYTES),
		.detail = detail_checked(item->pool, message->detail),
		.at_ms = message->at_ms,
		.keys = copy_keys(item->pool, message),
		.n_keys = message->n_keys,
	};
	item->state = item->row.media_url.len > 0 ? ITEM_WANTS_MEDIA : ITEM_READY;
	TAILQ_INSERT_TAIL(&inbound->items, item, link);
	inbound->n_items++;
	loop_turn_request(inbound->turn);
	return 0;
}

void inbound_drop_session(struct inbound *inbound, int32_t session_id)
{
	struct item *next;
	for (struct item *item = TAILQ_FIRST(&inbound->items); item != NULL; item = next) {
		next = TAILQ_NEXT(item, link);
		if (item->row.session_id != session_id)
			continue;
		if (item->state == ITEM_IN_BATCH)
			item->is_dropped = true;
		else
			item_free(item);
	}
}

bool inbound_is_writing(const struct inbound *inbound, int32_t session_id)
{
	int begin;
	int count;
	if (!inbound->is_busy || !ranges_peek(&inbound->ranges, &begin, &count))
		return false;
	for (int i = begin; i < begin + count; i++) {
		if (inbound->batch[i]->row.session_id == session_id)
			return true;
	}
	return false;
}

/* --- media --- */

static void media_ends(struct item *item, const char *why)
{
	if (why != NULL) {
		metric_add(item->inbound->gateway->stats.media_failed, 1);
		log_info("inbound_media_failed", log_int("session", item->row.session_id),
			log_text("why", why));
	}
	item->state = ITEM_READY;
	loop_turn_request(item->inbound->turn);
}

static void on_media_kept(void *ctx, enum media_keep_end end, const struct err *err)
{
	struct item *item = ctx;
	item->keep = NULL;
	if (end == MEDIA_KEEP_DONE) {
		item->row.media_sha256 = sv_from(item->sha256);
		metric_add(item->inbound->gateway->stats.media_fetched, 1);
		media_ends(item, NULL);
		return;
	}
	/* While Postgres is away nothing of it can be kept anyway: fetch it again then. */
	if (end == MEDIA_KEEP_LATER) {
		item->state = ITEM_WANTS_MEDIA;
		item->media_tries--;
		loop_timer_arm(item->inbound->retry, GATEWAY_RETRY_MS);
	} else {
		media_ends(item, err->text);
	}
}

static void on_media(void *ctx, const struct media_file *file)
{
	struct item *item = ctx;
	item->fetch = NULL;
	if (file->verdict == MEDIA_HERE) {
		item->state = ITEM_STORING;
		memcpy(item->sha256, file->sha256, sizeof(item->sha256));
		struct media_file_kept kept = {
			.message_id = SV_NULL,
			.sha256 = sv_from(file->sha256),
			.content_type = sv_from(file->content_type),
			.bytes = file->bytes,
		};
		item->keep = media_keep_start(
			item->inbound->gateway->keeper, &kept, on_media_kept, item);
	} else if (file->verdict == MEDIA_LATER && item->media_tries < MEDIA_TRIES) {
		item->state = ITEM_WANTS_MEDIA;
		loop_timer_arm(item->inbound->retry, GATEWAY_RETRY_MS);
	} else {
		media_ends(item, file->why);
	}
}

static void fetch_media(struct item *item)
{
	item->state = ITEM_FETCHING;
	item->media_tries++;
	item->fetch =
		media_fetch(item->inbound->gateway->media, item->row.media_url, on_media, item);
}

/* --- batches --- */

/* Has an earlier message of its phone to wait? Then so has it. */
static bool is_behind(const struct item *item)
{
	const struct item *earlier = item;
	while ((earlier = TAILQ_PREV(earlier, items, link)) != NULL) {
		if (earlier->state != ITEM_IN_BATCH &&
			earlier->row.session_id == item->row.session_id &&
			sv_eq(earlier->row.phone, item->row.phone))
			return true;
	}
	return false;
}

static bool is_change(const struct item *item)
{
	return item->row.kind == ENGINE_INBOUND_REACTION || item->row.kind == ENGINE_INBOUND_EDIT ||
	       item->row.kind == ENGINE_INBOUND_DELETE;
}

/* Messages and changes have a statement each: a change must find the message before it. */
static bool fits_batch(const struct inbound *inbound, const struct item *item)
{
	if (inbound->n_batch == 0)
		return true;
	return inbound->n_batch < BATCH_MAX && is_change(item) == is_change(inbound->batch[0]);
}

static void cut(struct inbound *inbound)
{
	struct item *item;
	bool some_wait = false;
	int n_fetching = 0;
	inbound->n_batch = 0;
	TAILQ_FOREACH(item, &inbound->items, link)
	{
		if (item->state == ITEM_WANTS_MEDIA && n_fetching < MAX_FETCHING)
			fetch_media(item);
		n_fetching += item->state == ITEM_FETCHING || item->state == ITEM_STORING;
		if (item->state == ITEM_READY && fits_batch(inbound, item) &&
			!(some_wait && is_behind(item))) {
			item->state = ITEM_IN_BATCH;
			item->place = inbound->n_batch;
			inbound->batch[inbound->n_batch++] = item;
		}
		some_wait = some_wait || item->state != ITEM_IN_BATCH;
	}
	ranges_init(&inbound->ranges, inbound->n_batch);
}

static void committed(struct inbound *inbound, const struct pg_result *result, int begin, int count)
{
	struct gateway *gateway = inbound->gateway;
	MARKED_STEP("gateway_inbound_committed", inbound->batch[begin]->row.phone);
	for (int row = 0; row < pg_rows(result); row++) {
		if (gateway_store_row_kind(result, row) != GATEWAY_ROW_HELD)
			continue;
		struct gateway_held_row held;
		gateway_store_held_row(result, row, &held);
		metric_add(gateway->stats.inbound, held.number);
		for (int i = begin; i < begin + count; i++) {
			const struct item *item = inbound->batch[i];
			if (item->row.session_id == held.session_id && !item->is_dropped &&
				item->token != ENGINE_NO_TOKEN)
				session_set_acknowledge(gateway->sessions, held.session_id,
					item->row.session_epoch, item->token);
		}
	}
	publish_events(gateway->publish, result);
}

static void drop_part(struct inbound *inbound, int begin, int count)
{
	for (int i = begin; i < begin + count; i++)
		item_free(inbound->batch[i]);
	ranges_pop(&inbound->ranges);
}

/* It is neither acknowledged nor kept: it will be offered again. */
static void leave_out(struct inbound *inbound, const struct item *item, const struct err *err)
{
	log_error("inbound_left_out", log_int("session", item->row.session_id),
		log_sv("wa_message_id", item->row.wa_message_id), log_err(err));
	metric_add(inbound->gateway->stats.left_out, 1);
	drop_part(inbound, item->place, 1);
}

static void refused(struct inbound *inbound, struct item *item, const struct err *err)
{
	if (item->n_refused == REFUSALS) /* to be set aside, even */
		leave_out(inbound, item, err);
	else if (++item->n_refused == REFUSALS)
		(void)snprintf(item->why, sizeof(item->why), "Postgres refuses it: %s", err->text);
}

static void on_written(void *ctx, const struct pg_result *result)
{
	struct inbound *inbound = ctx;
	int begin;
	int count;
	bool is_part = ranges_peek(&inbound->ranges, &begin, &count);
	ASSERT(is_part);
	inbound->is_busy = false;
	if (pg_status(result) == PG_OK) {
		committed(inbound, result, begin, count);
		if (inbound->batch[begin]->n_refused == REFUSALS)
			metric_add(inbound->gateway->stats.set_aside, 1);
		drop_part(inbound, begin, count);
		loop_turn_request(inbound->turn);
		return;
	}
	metric_add(inbound->gateway->stats.store_retries, 1);
	if (!pg_is_retryable(result) && !ranges_split(&inbound->ranges))
		refused(inbound, inbound->batch[begin], pg_err(result));
	loop_timer_arm(inbound->retry, GATEWAY_RETRY_MS);
}

/* What was dropped since the batch was cut is void: it must not be committed any more. */
static int collect_rows(
	const struct inbound *inbound, int begin, int count, struct gateway_inbound *ret_rows)
{
	int n = 0;
	for (int i = begin; i < begin + count; i++) {
		if (!inbound->batch[i]->is_dropped)
			ret_rows[n++] = inbound->batch[i]->row;
	}
	return n;
}

static void write_part(struct inbound *inbound, int begin, int count)
{
	struct gateway_inbound *rows = mem_array((size_t)count, sizeof(*rows));
	int n = collect_rows(inbound, begin, count, rows);
	inbound->is_busy = true;
	MARKED_STEP("gateway_inbound_before_commit", rows[0].phone);
	const struct item *first = inbound->batch[begin];
	if (n == 1 && first->n_refused == REFUSALS)
		inbound_asides_keep(
			inbound->gateway->asides, rows, first->why, on_written, inbound);
	else if (is_change(first))
		gateway_store_changes(inbound->gateway->session_conn, rows, n, on_written, inbound);
	else
		gateway_store_inbound(inbound->gateway->session_conn, rows, n, on_written, inbound);
	mem_free(rows);
}

static void on_turn(void *ctx)
{
	struct inbound *inbound = ctx;
	int begin;
	int count;
	if (inbound->is_busy || loop_timer_is_armed(inbound->retry))
		return;
	if (!ranges_peek(&inbound->ranges, &begin, &count))
		cut(inbound);
	if (ranges_peek(&inbound->ranges, &begin, &count))
		write_part(inbound, begin, count);
}
