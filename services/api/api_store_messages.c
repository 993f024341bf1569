/* SQL of messages as callers see them. */
#include "services/api/api_store_messages.h"

#define MESSAGE_COLUMNS                                                                            \
	"m.id, m.contact_id, m.phone, m.direction, m.type, m.status, m.open, m.outcome_unknown,"   \
	" m.session_id, m.attempts, coalesce(m.edited_body, m.body), m.caption, m.media_url, "     \
	"m.media_sha256, m.filename,"                                                              \
	" m.external_ref, m.metadata, m.error, m.error_code, m.created_at, m.send_at,"             \
	" m.valid_until, m.queued_at, m.sending_at, m.sent_at, m.delivered_at, m.read_at,"         \
	" m.failed_at, m.cancelled_at, m.expired_at, m.next_attempt_at, m.edited_at,"              \
	" m.deleted_at, m.detail::text, " API_SQL_REPLY_TO

static const struct pg_stmt message_get = {"api_message_get",
	"SELECT " MESSAGE_COLUMNS ", m.open AND m.queue_seq IS NOT NULL AND EXISTS ("
	"SELECT FROM messages e WHERE e.open AND e.partition = m.partition"
	" AND e.session_id = m.session_id AND e.phone = m.phone AND e.queue_seq < m.queue_seq)"
	" FROM messages m WHERE m.id = $2::text AND m.tenant_id = $1::int4"};

/*
 * A statement for each way to find them, so that each has an index that gives the order: by ref, by
 * contact, those that ended without being sent, those that are open (few: sorted), and all. The
 * status is compared in each.
 */
#define MESSAGE_LIST(where)                                                                        \
	"SELECT " MESSAGE_COLUMNS ", false FROM messages m WHERE m.tenant_id = $1::int4"           \
	" AND m.id < coalesce($2::text, '~') COLLATE \"C\""                                        \
	" AND ($3::int2 = 0 OR m.status = $3::int2)"                                               \
	" AND ($4::int4 = 0 OR m.contact_id = $4::int4)"                                           \
	" AND ($5::text IS NULL OR m.external_ref = $5::text)" where                               \
	" ORDER BY m.id DESC LIMIT $6::int4"

static const struct pg_stmt message_list_ref = {
	"api_message_list_ref", MESSAGE_LIST(" AND m.external_ref = $5::text")};
static const struct pg_stmt message_list_contact = {
	"api_message_list_contact", MESSAGE_LIST(" AND m.contact_id = $4::int4")};
static const struct pg_stmt message_list_ended = {"api_message_list_ended",
	MESSAGE_LIST(" AND (m.failed_at IS NOT NULL OR m.cancelled_at IS NOT NULL"
		     " OR m.expired_at IS NOT NULL)")};
static const struct pg_stmt message_list_open = {
	"api_message_list_open", MESSAGE_LIST(" AND m.open")};
static const struct pg_stmt message_list_all = {"api_message_list_all", MESSAGE_LIST("")};

/* A failure after an attempt whose end is not known is no certain one: WhatsApp may have the
 * message. */
static const struct pg_stmt message_cancel = {"api_message_cancel",
	"WITH m AS (SELECT id FROM messages WHERE id = $2::text AND tenant_id = $1::int4),"
	" c AS (UPDATE messages u SET status = 8, open = false, due_at = NULL,"
	" next_attempt_at = NULL, media_wanted = false, cancelled_at = clock_timestamp()"
	" FROM m WHERE u.id = m.id AND u.direction = 0 AND u.status IN (1, 2)"
	" AND NOT u.outcome_unknown AND NOT u.ever_unknown"
	" RETURNING u.id, u.session_id, u.partition, u.phone, u.queue_seq)"
	" SELECT c.id IS NOT NULL, c.session_id, c.partition, c.phone, c.queue_seq"
	" FROM m LEFT JOIN c ON c.id = m.id"};

void store_message_get(
	struct api_store *store, int32_t tenant_id, struct strview id, pg_done_fn fn, void *ctx)
{
	struct pool *pool = pool_new();
	struct pg_params *params = pg_params_new(pool);
	pg_param_int4(params, tenant_id);
	pg_param_text(params, id);
	store_run(store, &message_get, params, fn, ctx);
	pool_free(&pool);
}

static const struct pg_stmt *list_stmt(const struct store_message_filter *filter)
{
	if (!sv_is_null(filter->external_ref))
		return &message_list_ref;
	if (filter->contact_id != 0)
		return &message_list_contact;
	if (filter->status == MESSAGE_FAILED || filter->status == MESSAGE_CANCELLED ||
		filter->status == MESSAGE_EXPIRED)
		return &message_list_ended;
	if (filter->status != 0 && message_status_is_open((enum message_status)filter->status))
		return &message_list_open;
	return &message_list_all;
}

void store_message_list(struct api_store *store, const struct store_message_filter *filter,
	pg_done_fn fn, void *ctx)
{
	struct pool *pool = pool_new();
	struct pg_params *params = pg_params_new(pool);
	pg_param_int4(params, filter->tenant_id);
	pg_param_text(params, filter->after);
	pg_param_int2(params, (int16_t)filter->status);
	pg_param_int4(params, filter->contact_id);
	pg_param_text(params, filter->external_ref);
	pg_param_int4(params, filter->limit);
	store_run(store, list_stmt(filter), params, fn, ctx);
	pool_free(&pool);
}

void store_message_cancel(
	struct api_store *store, int32_t tenant_id, struct strview id, pg_done_fn fn, void *ctx)
{
	struct pool *pool = pool_new();
	struct pg_params *params = pg_params_new(pool);
	pg_param_int4(params, tenant_id);
	pg_param_text(params, id);
	store_run(store, &message_cancel, params, fn, ctx);
	pool_free(&pool);
}

struct store_cancelled store_cancelled_at(const struct pg_result *result)
{
	return (struct store_cancelled){
		.happened = pg_bool(result, 0, 0),
		.session_id = (int32_t)pg_int(result, 0, 1),
		.partition = (int)pg_int(result, 0, 2),
		.phone = pg_text(result, 0, 3),
		.queue_seq = pg_int(result, 0, 4),
	};
}

static void read_texts(const struct pg_result *result, int row, struct pool *pool,
	struct store_message *ret_message)
{
	struct strview *const texts[] = {&ret_message->body, &ret_message->caption,
		&ret_message->media_url, &ret_message->media_sha256, &ret_message->filename,
		&ret_message->external_ref, &ret_message->metadata, &ret_message->error,
		&ret_message->error_code};
	for (size_t i = 0; i < array_len(texts); i++)
		*texts[i] = pool_sv(pool, pg_text(result, row, 10 + (int)i));
}

static void read_times(const struct pg_result *result, int row, struct store_message *ret_message)
{
	int64_t *const times[] = {&ret_message->created_at, &ret_message->send_at,
		&ret_message->valid_until, &ret_message->queued_at, &ret_message->sending_at,
		&ret_message->sent_at, &ret_message->delivered_at, &ret_message->read_at,
		&ret_message->failed_at, &ret_message->cancelled_at, &ret_message->expired_at,
		&ret_message->next_attempt_at, &ret_message->edited_at, &ret_message->deleted_at};
	for (size_t i = 0; i < array_len(times); i++)
		*times[i] = pg_time(result, row, 19 + (int)i);
}

struct store_message store_message_at(const struct pg_result *result, int row, struct pool *pool)
{
	struct store_message message = {
		.id = pool_sv(pool, pg_text(result, row, 0)),
		.contact_id = (int32_t)pg_int(result, row, 1),
		.phone = pool_sv(pool, pg_text(result, row, 2)),
		.direction = (enum message_direction)pg_int(result, row, 3),
		.type = (enum message_type)pg_int(result, row, 4),
		.status = (enum message_status)pg_int(result, row, 5),
		.is_open = pg_bool(result, row, 6),
		.outcome_unknown = pg_bool(result, row, 7),
		.session_id = (int32_t)pg_int(result, row, 8),
		.attempts = (int)pg_int(result, row, 9),
		.detail = pool_sv(pool, pg_text(result, row, 33)),
		.reply_to = pool_sv(pool, pg_text(result, row, 34)),
		.behind_another = pg_bool(result, row, 35),
	};
	read_texts(result, row, pool, &message);
	read_times(result, row, &message);
	return message;
}
