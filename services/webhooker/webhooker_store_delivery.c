/* Deliveries: read to be sent, recorded, swept. */
#include "services/webhooker/webhooker_store_internal.h"

/* Those before an event may have a later time, by as much as Postgres's clock was put back. */
#define EARLIER_WITHIN_MS 7200000
#define EARLIER_WITHIN    "interval '2 hours'"

/* clang-format off */

/*
 * Each key's rows are looked up by themselves (LATERAL … LIMIT 1): a probe of an index of one day,
 * whatever the tables' sizes. $6 to $9 hold for all the keys, so that other days' partitions are
 * left out before the first probe. `earlier`: a contact's events become visible in the order of their
 * numbers, so what is not seen here is not there.
 */
static const struct pg_stmt prepare_stmt = {"store_prepare",
	"SELECT u.ord::int4 - 1, d.open, d.attempts,"
	" " STORE_DUE_IN_MS("d") ","
	" (extract(epoch FROM now() - d.first_attempt_at) * 1000)::int8,"
	" e.type, e.tenant_id, e.contact_id, e.created_at, e.at, e.message_id, e.data::text,"
	" m.type, m.session_id, m.erased, m.phone,"
	" CASE WHEN e.type = 3 THEN coalesce(m.edited_body, m.body) ELSE m.body END, m.caption, m.media_sha256, m.filename,"
	" m.external_ref, m.error, m.error_code, e.sequence,"
	" (SELECT string_agg(x.sequence::text, ',') FROM deliveries x"
	"  WHERE x.open AND x.webhook_id = u.webhook_id AND x.contact_id = u.contact_id"
	"  AND x.sequence < u.sequence"
	"  AND x.created_at >= now() - $8::int8 * interval '1 ms' AND x.created_at < $9::timestamptz"
	"  AND x.created_at >= now() - u.look_back_ms * interval '1 ms'"
	"  AND x.created_at < u.created_at + " EARLIER_WITHIN "),"
	" (extract(epoch FROM d.last_attempt_at - d.first_attempt_at) * 1000)::int8,"
	" m.detail::text, CASE WHEN e.type = 1 AND m.reply_to IS NOT NULL THEN (SELECT r.id FROM messages r"
	"  WHERE r.wa_message_id = m.reply_to AND r.session_id = m.session_id LIMIT 1) END"
	" FROM unnest($1::int4[], $2::int8[], $3::timestamptz[], $4::int4[], $5::int8[])"
	"  WITH ORDINALITY AS u(webhook_id, sequence, created_at, contact_id, look_back_ms, ord)"
	" LEFT JOIN LATERAL"
	"  (SELECT d.open, d.attempts, d.next_attempt_at, d.first_attempt_at, d.last_attempt_at FROM deliveries d"
	"  WHERE d.webhook_id = u.webhook_id AND d.sequence = u.sequence"
	"  AND d.created_at >= $6::timestamptz AND d.created_at < $7::timestamptz"
	"  AND " STORE_SAME_TIME("d.created_at", "u.created_at") " LIMIT 1) d ON true"
	" LEFT JOIN LATERAL"
	"  (SELECT e.sequence, e.type, e.tenant_id, e.contact_id, e.created_at, e.at, e.message_id,"
	"  e.data FROM events e WHERE e.sequence = u.sequence"
	"  AND e.created_at >= $6::timestamptz AND e.created_at < $7::timestamptz"
	"  AND " STORE_SAME_TIME("e.created_at", "u.created_at") " LIMIT 1) e ON true"
	" LEFT JOIN LATERAL (SELECT m.* FROM messages m WHERE m.id = e.message_id LIMIT 1) m ON true"};

/*
 * Compare and set. A repetition, or an owner that has slept past its lease, finds no row that fits
 * and changes nothing; so the lease's row is only compared, not locked: a lock here and the
 * heartbeat's update would wait for each other.
 */
static const struct pg_stmt record_stmt = {"store_record",
	"WITH item AS (SELECT * FROM unnest($1::int4[], $2::int8[], $3::timestamptz[], $4::int4[],"
	"  $5::int8[], $6::int2[], $7::int2[], $8::int8[], $9::int8[], $10::int4[], $11::int2[],"
	"  $12::text[], $13::text[]) WITH ORDINALITY AS i(webhook_id, sequence, created_at,"
	"  partition, epoch, attempts, status, wait_ms, ago_ms, duration_ms, http_status, error,"
	"  response, ord)"
	"), done AS (UPDATE deliveries d SET"
	"  attempts = d.attempts + 1, status = i.status, open = i.status = 0,"
	"  next_attempt_at = CASE WHEN i.status = 0 THEN now() + i.wait_ms * interval '1 ms' END,"
	"  first_attempt_at = coalesce(d.first_attempt_at, now() - i.ago_ms * interval '1 ms'),"
	"  last_attempt_at = now() - i.ago_ms * interval '1 ms',"
	"  http_status = i.http_status, error = i.error, duration_ms = i.duration_ms"
	"  FROM item i WHERE d.webhook_id = i.webhook_id AND d.sequence = i.sequence"
	"  AND " STORE_SAME_TIME("d.created_at", "i.created_at")
	"  AND d.created_at >= $15::timestamptz AND d.created_at < $16::timestamptz"
	"  AND " STORE_STILL_OPEN("d") " AND d.attempts = i.attempts"
	"  AND EXISTS (SELECT 1 FROM leases l WHERE l.kind = 'events' AND l.id = i.partition"
	"   AND l.epoch = i.epoch AND l.owner = $14::text)"
	"  RETURNING i.*"
	"), logged AS (INSERT INTO delivery_attempts"
	"  (at, webhook_id, sequence, attempt, http_status, error, response, duration_ms)"
	"  SELECT now() - i.ago_ms * interval '1 ms', i.webhook_id, i.sequence, i.attempts + 1,"
	"  i.http_status, i.error, i.response, i.duration_ms FROM done i WHERE i.error IS NOT NULL)"
	" SELECT ord::int4 - 1 FROM done"};

static const struct pg_stmt set_aside_stmt = {"store_set_aside_delivery",
	"WITH closed AS (UPDATE deliveries d SET status = 2, open = false, next_attempt_at = NULL,"
	"  error = $8::text"
	"  WHERE d.webhook_id = $1::int4 AND d.sequence = $2::int8"
	"  AND " STORE_SAME_TIME("d.created_at", "$3::timestamptz")
	"  AND " STORE_STILL_OPEN("d")
	"  AND EXISTS (SELECT 1 FROM leases l WHERE l.kind = 'events' AND l.id = $4::int4"
	"   AND l.epoch = $5::int8 AND l.owner = $9::text)"
	"  RETURNING d.tenant_id)"
	" INSERT INTO set_aside (id, kind, stream, tenant_id, payload, reason)"
	" SELECT $6::text, 'delivery', $7::text, c.tenant_id, $10::bytea, $8::text FROM closed c"
	" ON CONFLICT (id) DO NOTHING"};

#define OPEN_COLUMNS                                                                               \
	"SELECT d.webhook_id, d.sequence, d.created_at, d.tenant_id, d.contact_id, d.partition,"   \
	" d.attempts, " STORE_DUE_IN_MS("d") ","                                                     \
	" (extract(epoch FROM now() - d.first_attempt_at) * 1000)::int8,"                          \
	" (extract(epoch FROM d.last_attempt_at - d.first_attempt_at) * 1000)::int8,"              \
	" d.event_type"                                                                            \
	" FROM deliveries d WHERE d.open AND d.partition = $1::int2 "

/* What has a time to come is not young either: the clock was put back since. */
static const struct pg_stmt sweep_stmt = {"store_sweep",
	OPEN_COLUMNS
	"AND (d.webhook_id, d.sequence) > ($2::int4, $3::int8)"
	" AND (d.created_at < now() - $4::int8 * interval '1 ms'"
	"  OR d.created_at > now() + interval '1 minute')"
	" ORDER BY d.webhook_id, d.sequence LIMIT $5::int4"};

static const struct pg_stmt refill_stmt = {"store_refill",
	OPEN_COLUMNS
	"AND d.webhook_id = $2::int4 AND d.sequence > $3::int8 ORDER BY d.sequence LIMIT $4::int4"};

/* clang-format on */

/* --- the days that a batch touches --- */

struct span { /* wall clock, milliseconds */
	int64_t first;
	int64_t last;
};

#define SPAN_EMPTY                                                                                 \
	{                                                                                          \
		INT64_MAX, INT64_MIN                                                               \
	}

static void span_add(struct span *span, int64_t at_ms)
{
	if (at_ms < span->first)
		span->first = at_ms;
	if (at_ms > span->last)
		span->last = at_ms;
}

/* Two parameters: from, and before. */
static void param_span(struct pg_params *params, const struct span *span)
{
	pg_param_time(params, span->first);
	pg_param_time(params, span->last + 1);
}

/* --- prepare --- */

void store_prepare(struct webhooker_store *store, const struct store_key *keys, int n_keys,
	pg_done_fn fn, void *ctx)
{
	struct pg_params *params = store_params(store);
	int64_t *numbers = store_array(store, n_keys * 5, sizeof(*numbers));

	for (int i = 0; i < n_keys; i++) {
		numbers[i] = keys[i].webhook_id;
		numbers[n_keys + i] = keys[i].sequence;
		numbers[2 * n_keys + i] = keys[i].created_at_wall_ms;
		numbers[3 * n_keys + i] =
			keys[i].contact_id == 0 ? PG_INT_NULL : keys[i].contact_id;
		numbers[4 * n_keys + i] = keys[i].look_back_ms;
	}
	pg_param_int4_array(params, numbers, n_keys);
	pg_param_int8_array(params, numbers + n_keys, n_keys);
	pg_param_time_array(params, numbers + 2 * n_keys, n_keys);
	pg_param_int4_array(params, numbers + 3 * n_keys, n_keys);
	pg_param_int8_array(params, numbers + 4 * n_keys, n_keys);
	struct span span = SPAN_EMPTY;
	int64_t look_back_ms = 0;
	for (int i = 0; i < n_keys; i++) {
		span_add(&span, keys[i].created_at_wall_ms);
		if (keys[i].look_back_ms > look_back_ms)
			look_back_ms = keys[i].look_back_ms;
	}
	param_span(params, &span);
	pg_param_int8(params, look_back_ms);
	pg_param_time(params, span.last + EARLIER_WITHIN_MS + 1);
	store_run(store, STORE_READ, &prepare_stmt, fn, ctx);
}

static void event_row(const struct pg_result *result, int row, struct event_row *ret_event)
{
	*ret_event = (struct event_row){
		.type = (enum event_type)pg_int(result, row, 5),
		.tenant_id = (int32_t)pg_int(result, row, 6),
		.contact_id = (int32_t)pg_int(result, row, 7),
		.created_at_wall_ms = pg_time(result, row, 8),
		.at_wall_ms = pg_time(result, row, 9),
		.message_id = pg_text(result, row, 10),
		.data = pg_text(result, row, 11),
		.has_message = !pg_is_null(result, row, 12),
		.message_type = (enum message_type)pg_int(result, row, 12),
		.session_id = (int32_t)pg_int(result, row, 13),
		.is_erased = pg_bool(result, row, 14),
		.phone = pg_text(result, row, 15),
		.body = pg_text(result, row, 16),
		.caption = pg_text(result, row, 17),
		.media_sha256 = pg_text(result, row, 18),
		.filename = pg_text(result, row, 19),
		.external_ref = pg_text(result, row, 20),
		.error = pg_text(result, row, 21),
		.error_code = pg_text(result, row, 22),
		.sequence = pg_int(result, row, 23),
		.detail = pg_text(result, row, 26),
		.reply_to = pg_text(result, row, 27),
	};
}

void store_prepared_row(const struct pg_result *result, int row, struct store_prepared *ret_row)
{
	*ret_row = (struct store_prepared){
		.index = (int)pg_int(result, row, 0),
		.exists = !pg_is_null(result, row, 1),
		.is_open = pg_bool(result, row, 1),
		.attempts = (int)pg_int(result, row, 2),
		.due_in_ms = pg_int(result, row, 3),
		.tried_ago_ms = pg_int(result, row, 4),
		.tried_for_ms = pg_int(result, row, 25),
		.has_event = !pg_is_null(result, row, 5),
		.earlier = pg_text(result, row, 24),
	};
	if (ret_row->has_event)
		event_row(result, row, &ret_row->event);
}

/* --- record --- */

enum end_column {
	END_WEBHOOK,
	END_SEQUENCE,
	END_CREATED,
	END_PARTITION,
	END_EPOCH,
	END_ATTEMPTS,
	END_STATUS,
	END_WAIT,
	END_AGO,
	END_DURATION,
	END_HTTP_STATUS,
	END_COLUMNS
};

static void end_numbers(const struct store_end *end, int64_t ret_numbers[END_COLUMNS])
{
	ret_numbers[END_WEBHOOK] = end->webhook_id;
	ret_numbers[END_SEQUENCE] = end->sequence;
	ret_numbers[END_CREATED] = end->created_at_wall_ms;
	ret_numbers[END_PARTITION] = end->partition;
	ret_numbers[END_EPOCH] = end->epoch;
	ret_numbers[END_ATTEMPTS] = end->attempts;
	ret_numbers[END_STATUS] = end->status;
	ret_numbers[END_WAIT] = end->wait_ms;
	ret_numbers[END_AGO] = end->ago_ms;
	ret_numbers[END_DURATION] = end->duration_ms;
	ret_numbers[END_HTTP_STATUS] = end->http_status == 0 ? PG_INT_NULL : end->http_status;
}

void store_record(struct webhooker_store *store, const struct store_end *ends, int n_ends,
	pg_done_fn fn, void *ctx)
{
	struct pg_params *params = store_params(store);
	int64_t *columns[END_COLUMNS];
	struct strview *errors = store_array(store, n_ends, sizeof(*errors));
	struct strview *responses = store_array(store, n_ends, sizeof(*responses));

	for (int c = 0; c < END_COLUMNS; c++)
		columns[c] = store_array(store, n_ends, sizeof(int64_t));
	for (int i = 0; i < n_ends; i++) {
		int64_t numbers[END_COLUMNS];
		end_numbers(&ends[i], numbers);
		for (int c = 0; c < END_COLUMNS; c++)
			columns[c][i] = numbers[c];
		errors[i] = ends[i].error;
		responses[i] = ends[i].response;
	}
	pg_param_int4_array(params, columns[END_WEBHOOK], n_ends);
	pg_param_int8_array(params, columns[END_SEQUENCE], n_ends);
	pg_param_time_array(params, columns[END_CREATED], n_ends);
	pg_param_int4_array(params, columns[END_PARTITION], n_ends);
	pg_param_int8_array(params, columns[END_EPOCH], n_ends);
	pg_param_int2_array(params, columns[END_ATTEMPTS], n_ends);
	pg_param_int2_array(params, columns[END_STATUS], n_ends);
	pg_param_int8_array(params, columns[END_WAIT], n_ends);
	pg_param_int8_array(params, columns[END_AGO], n_ends);
	pg_param_int4_array(params, columns[END_DURATION], n_ends);
	pg_param_int2_array(params, columns[END_HTTP_STATUS], n_ends);
	pg_param_text_array(params, errors, n_ends);
	pg_param_text_array(params, responses, n_ends);
	pg_param_text(params, sv_from(store->owner));
	struct span span = SPAN_EMPTY;
	for (int i = 0; i < n_ends; i++)
		span_add(&span, ends[i].created_at_wall_ms);
	param_span(params, &span);
	store_run(store, STORE_WRITE, &record_stmt, fn, ctx);
}

int store_recorded_index(const struct pg_result *result, int row)
{
	return (int)pg_int(result, row, 0);
}

void store_set_aside_delivery(struct webhooker_store *store,
	const struct store_aside_delivery *aside, pg_done_fn fn, void *ctx)
{
	const struct delivery *delivery = aside->delivery;
	struct pg_params *params = store_params(store);

	pg_param_int4(params, delivery->webhook_id);
	pg_param_int8(params, delivery->sequence);
	pg_param_time(params, delivery->created_at_wall_ms);
	pg_param_int4(params, delivery->partition);
	pg_param_int8(params, aside->epoch);
	pg_param_text(params, sv_from(aside->id));
	pg_param_text(params, sv_from(aside->stream));
	pg_param_text(params, sv_from(aside->reason));
	pg_param_text(params, sv_from(store->owner));
	pg_param_bytes(params, aside->payload);
	store_run(store, STORE_WRITE, &set_aside_stmt, fn, ctx);
}

/* --- sweep, refill --- */

void store_sweep(struct webhooker_store *store, int partition, int32_t after_webhook_id,
	int64_t after_sequence, int64_t min_age_ms, int limit, pg_done_fn fn, void *ctx)
{
	struct pg_params *params = store_params(store);

	pg_param_int2(params, (int16_t)partition);
	pg_param_int4(params, after_webhook_id);
	pg_param_int8(params, after_sequence);
	pg_param_int8(params, min_age_ms);
	pg_param_int4(params, limit);
	store_run(store, STORE_SWEEP, &sweep_stmt, fn, ctx);
}

void store_refill(struct webhooker_store *store, int32_t webhook_id, int partition,
	int64_t after_sequence, int limit, pg_done_fn fn, void *ctx)
{
	struct pg_params *params = store_params(store);

	pg_param_int2(params, (int16_t)partition);
	pg_param_int4(params, webhook_id);
	pg_param_int8(params, after_sequence);
	pg_param_int4(params, limit);
	store_run(store, STORE_SWEEP, &refill_stmt, fn, ctx);
}

void store_open_row(const struct pg_result *result, int row, struct delivery_facts *ret_facts)
{
	*ret_facts = (struct delivery_facts){
		.webhook_id = (int32_t)pg_int(result, row, 0),
		.sequence = pg_int(result, row, 1),
		.created_at_wall_ms = pg_time(result, row, 2),
		.tenant_id = (int32_t)pg_int(result, row, 3),
		.contact_id = (int32_t)pg_int(result, row, 4),
		.partition = (int)pg_int(result, row, 5),
		.attempts = (int)pg_int(result, row, 6),
		.due_in_ms = pg_int(result, row, 7),
		.tried_ago_ms = pg_int(result, row, 8),
		.tried_for_ms = pg_int(result, row, 9),
		.event_type = (int)pg_int(result, row, 10),
	};
}
