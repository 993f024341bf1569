/* Entries to msgpack and back. Encoders and decoders are made from stream_schema.h; only what a
 * field may hold stands here. */
#include "common/model/stream_codec.h"

#include <msgpack/pack.h>
#include <stdbool.h>

#include "common/base/check.h"
#include "common/model/event_type.h"
#include "common/model/id.h"
#include "common/model/msgpack_reader.h"
#include "common/model/partition.h"
#include "common/model/phone.h"

#define ENTRY_MAX_BYTES 65536
#define INTS_MAX        1024

static int append_bytes(void *ctx, const char *data, size_t len)
{
	strbuf_append(ctx, data, len);
	return 0;
}

static void pack_int(msgpack_packer *packer, int64_t number)
{
	(void)msgpack_pack_int64(packer, number); /* into memory: it cannot fail */
}

static void pack_text(msgpack_packer *packer, struct strview text)
{
	ASSERT(text.len <= ENTRY_MAX_BYTES);
	(void)msgpack_pack_str(packer, text.len);
	if (text.len > 0) {
		(void)msgpack_pack_str_body(packer, text.ptr, text.len);
	}
}

static void pack_ints(msgpack_packer *packer, const struct stream_ints *ints)
{
	ASSERT(ints->n >= 0 && ints->n <= INTS_MAX);
	(void)msgpack_pack_array(packer, (size_t)ints->n);
	for (int i = 0; i < ints->n; i++) {
		pack_int(packer, ints->items[i]);
	}
}

/* One entry that is being decoded: fields that its writer did not know of yet are left as they are,
 * zero. */
struct decoder {
	struct msgpack_reader reader;
	struct pool *pool;
	uint32_t fields_left;
	struct err *err;
};

static int decode_int(struct decoder *decoder, const char *name, int64_t *ret_number)
{
	if (decoder->fields_left == 0) {
		return 0;
	}
	decoder->fields_left--;
	if (msgpack_read_int(&decoder->reader, ret_number) < 0) {
		return err_set(decoder->err, "%s is no integer", name);
	}
	return 0;
}

static int decode_text(struct decoder *decoder, const char *name, struct strview *ret_text)
{
	if (decoder->fields_left == 0) {
		return 0;
	}
	decoder->fields_left--;
	if (msgpack_read_text(&decoder->reader, ret_text) < 0) {
		return err_set(decoder->err, "%s is no text", name);
	}
	return 0;
}

static int decode_ints(struct decoder *decoder, const char *name, struct stream_ints *ret_ints)
{
	uint32_t count = 0;
	if (decoder->fields_left == 0) {
		return 0;
	}
	decoder->fields_left--;
	if (msgpack_read_array(&decoder->reader, &count) < 0 || count > INTS_MAX) {
		return err_set(
			decoder->err, "%s is no list of at most %d integers", name, INTS_MAX);
	}
	int64_t *items = pool_array(decoder->pool, count, sizeof(*items));
	for (uint32_t i = 0; i < count; i++) {
		if (msgpack_read_int(&decoder->reader, &items[i]) < 0) {
			return err_set(decoder->err, "%s has an element that is no integer", name);
		}
	}
	*ret_ints = (struct stream_ints){items, (int)count};
	return 0;
}

/* The array's header and the version. */
static int decoder_begin(struct decoder *decoder, struct strview payload, int64_t known_version)
{
	int64_t version = 0;
	if (payload.len > ENTRY_MAX_BYTES) {
		return err_set(decoder->err, "longer than %d bytes", ENTRY_MAX_BYTES);
	}
	msgpack_reader_init(&decoder->reader, payload);
	if (msgpack_read_array(&decoder->reader, &decoder->fields_left) < 0 ||
		decoder->fields_left == 0) {
		return err_set(decoder->err, "no msgpack array");
	}
	if (msgpack_read_int(&decoder->reader, &version) < 0 || version != known_version) {
		return err_set(decoder->err, "version %lld, known is %lld", (long long)version,
			(long long)known_version);
	}
	decoder->fields_left--;
	return 0;
}

/* Fields that a newer writer added are passed over, but must be whole. */
static int decoder_end(struct decoder *decoder)
{
	for (; decoder->fields_left > 0; decoder->fields_left--) {
		if (msgpack_skip(&decoder->reader) < 0) {
			return err_set(decoder->err, "cut off");
		}
	}
	if (decoder->reader.at != decoder->reader.end) {
		return err_set(decoder->err, "bytes after the entry");
	}
	return 0;
}

static bool is_id(int64_t number)
{
	return number > 0 && number <= INT32_MAX;
}

static bool is_partition(int64_t number)
{
	return number >= 0 && number < OUTBOUND_PARTITIONS;
}

static bool is_message_id(struct strview text)
{
	return text.len > 0 && text.len < ID_SIZE;
}

/* What every reader relies on without looking again; also catches entries with too few fields. */
static int outbound_entry_check(const struct outbound_entry *entry, struct err *err)
{
	if (!is_message_id(entry->message_id) || !is_id(entry->tenant_id) ||
		!is_id(entry->session_id) || !phone_is(entry->phone) || entry->queue_seq <= 0) {
		return err_set(err, "a field is missing or out of range");
	}
	return 0;
}

static int dispatch_entry_check(const struct dispatch_entry *entry, struct err *err)
{
	if (!is_message_id(entry->message_id) || !is_partition(entry->partition) ||
		entry->partition_epoch <= 0 || entry->attempt < 0 || entry->attempt > INT16_MAX ||
		!phone_is(entry->phone) || entry->queue_seq <= 0) {
		return err_set(err, "a field is missing or out of range");
	}
	return 0;
}

static int outcome_entry_check(const struct outcome_entry *entry, struct err *err)
{
	if (!is_message_id(entry->message_id) || !is_id(entry->session_id) ||
		!phone_is(entry->phone) || entry->kind < OUTCOME_SENT ||
		entry->kind > OUTCOME_NO_MEDIA || entry->attempts < 0 ||
		entry->attempts > INT16_MAX || entry->next_in_ms < 0) {
		return err_set(err, "a field is missing or out of range");
	}
	return 0;
}

static int event_entry_check(const struct event_entry *entry, struct err *err)
{
	if (entry->sequence <= 0 || entry->tenant_id < 0 || entry->tenant_id > INT32_MAX ||
		entry->contact_id < 0 || entry->contact_id > INT32_MAX ||
		entry->message_id.len >= ID_SIZE || entry->type < EVENT_MESSAGE_RECEIVED ||
		entry->type > EVENT_TYPE_LAST) {
		return err_set(err, "a field is missing or out of range");
	}
	return 0;
}

/* How many fields each entry has. */
enum {
#define INT(f)                       +1
#define TEXT(f)                      +1
#define INTS(f)                      +1
#define ENTRY(name, version, fields) name##_fields = 0 fields,
#include "common/model/stream_schema.h"
#undef ENTRY
#undef INT
#undef TEXT
#undef INTS
};

#define INT(f)  pack_int(&packer, entry->f);
#define TEXT(f) pack_text(&packer, entry->f);
#define INTS(f) pack_ints(&packer, &entry->f);
#define ENTRY(name, version, fields)                                                               \
	void name##_entry_encode(const struct name##_entry *entry, struct strbuf *out)             \
	{                                                                                          \
		msgpack_packer packer;                                                             \
		msgpack_packer_init(&packer, out, append_bytes);                                   \
		(void)msgpack_pack_array(&packer, 1 + (size_t)name##_fields);                      \
		pack_int(&packer, version);                                                        \
		fields                                                                             \
	}
#include "common/model/stream_schema.h"
#undef ENTRY
#undef INT
#undef TEXT
#undef INTS

#define INT(f)  ok = ok && decode_int(&decoder, #f, &entry.f) == 0;
#define TEXT(f) ok = ok && decode_text(&decoder, #f, &entry.f) == 0;
#define INTS(f) ok = ok && decode_ints(&decoder, #f, &entry.f) == 0;
#define ENTRY(name, version, fields)                                                               \
	int name##_entry_decode(struct strview payload, struct pool *pool,                         \
		struct name##_entry *ret_entry, struct err *err)                                   \
	{                                                                                          \
		struct name##_entry entry = {0};                                                   \
		struct decoder decoder = {.pool = pool, .err = err};                               \
		bool ok = decoder_begin(&decoder, payload, version) == 0;                          \
		fields ok =                                                                        \
			ok && decoder_end(&decoder) == 0 && name##_entry_check(&entry, err) == 0;  \
		if (!ok) {                                                                         \
			return err_prefix(err, #name " entry");                                    \
		}                                                                                  \
		*ret_entry = entry;                                                                \
		return 0;                                                                          \
	}
#include "common/model/stream_schema.h"
#undef ENTRY
#undef INT
#undef TEXT
#undef INTS
