/* A table of shapes, a reader and a writer. */
#include "services/gateway/baileys_frame.h"

#include <msgpack/pack.h>
#include <stdbool.h>
#include <string.h>

#include "common/base/check.h"
#include "common/model/msgpack_reader.h"

/* i an integer, t a text, o a text or nil, b bytes or nil, n an array of names, c an array of
 * changes. */
static const struct {
	const char *name;
	const char *elements;
} shapes[] = {
	[BAILEYS_READY] = {"ready", "itt"},
	[BAILEYS_HEARTBEAT] = {"heartbeat", "iiii"},
	[BAILEYS_FATAL] = {"fatal", "t"},
	[BAILEYS_LOG] = {"log", "itt"},
	[BAILEYS_STATE] = {"state", "itoo"},
	[BAILEYS_CODE] = {"code", "itti"},
	[BAILEYS_CLOSED] = {"closed", "i"},
	[BAILEYS_KEYS_READ] = {"keys_read", "iin"},
	[BAILEYS_KEYS_COMMIT] = {"keys_commit", "iibc"},
	[BAILEYS_WIPE] = {"wipe", "ii"},
	[BAILEYS_IS_KNOWN] = {"is_known", "iito"},
	[BAILEYS_INBOUND] = {"inbound", "iittitioooooooc"},
	[BAILEYS_RECEIPT] = {"receipt", "iitti"},
	[BAILEYS_ACKED] = {"acked", "iti"},
	[BAILEYS_FAILED] = {"failed", "itttti"},
	[BAILEYS_GET_MESSAGE] = {"get_message", "iit"},
	[BAILEYS_MEDIA_READ] = {"media_read", "iitii"},
	[BAILEYS_MEDIA_WRITE] = {"media_write", "iitbi"},
};

const char *baileys_frame_name(enum baileys_frame_kind kind)
{
	return shapes[kind].name;
}

int64_t baileys_frame_size(const uint8_t head[BAILEYS_FRAME_HEAD], struct err *err)
{
	int64_t size = (int64_t)head[0] << 24 | (int64_t)head[1] << 16 | (int64_t)head[2] << 8 |
		       (int64_t)head[3];
	if (size < 1 || size > BAILEYS_FRAME_MAX)
		return err_set(err, "a frame of %lld bytes", (long long)size);
	return size;
}

/* --- reading --- */

static bool is_clean(struct strview text)
{
	return sv_is_utf8(text) && (text.len == 0 || memchr(text.ptr, '\0', text.len) == NULL);
}

static int read_text(struct msgpack_reader *reader, bool may_be_nil, struct strview *ret_text)
{
	if (msgpack_read_text(reader, ret_text) < 0)
		return -1;
	if (sv_is_null(*ret_text))
		return may_be_nil ? 0 : -1;
	return is_clean(*ret_text) ? 0 : -1;
}

static int read_name(struct msgpack_reader *reader, struct strview *ret_name)
{
	if (read_text(reader, false, ret_name) < 0)
		return -1;
	return ret_name->len > 0 && ret_name->len <= BAILEYS_NAME_MAX_BYTES ? 0 : -1;
}

static int read_names(struct msgpack_reader *reader, struct pool *pool, struct baileys_frame *frame)
{
	uint32_t n;
	if (msgpack_read_array(reader, &n) < 0 || n > BAILEYS_NAMES_MAX)
		return -1;
	frame->names = pool_array(pool, n, sizeof(*frame->names));
	frame->n_names = (int)n;
	for (uint32_t i = 0; i < n; i++) {
		if (read_name(reader, &frame->names[i]) < 0)
			return -1;
	}
	return 0;
}

static int read_changes(
	struct msgpack_reader *reader, struct pool *pool, struct baileys_frame *frame)
{
	uint32_t n;
	if (msgpack_read_array(reader, &n) < 0 || n > BAILEYS_CHANGES_MAX)
		return -1;
	frame->changes = pool_array(pool, n, sizeof(*frame->changes));
	frame->n_changes = (int)n;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t pair;
		if (msgpack_read_array(reader, &pair) < 0 || pair != 2 ||
			read_name(reader, &frame->changes[i].name) < 0 ||
			msgpack_read_text(reader, &frame->changes[i].value) < 0)
			return -1;
	}
	return 0;
}

static int read_element(struct msgpack_reader *reader, char type, struct pool *pool,
	struct baileys_frame *frame, struct baileys_field *field)
{
	switch (type) {
	case 'i':
		return msgpack_read_int(reader, &field->number);
	case 't':
		return read_text(reader, false, &field->text);
	case 'o':
		return read_text(reader, true, &field->text);
	case 'b':
		return msgpack_read_text(reader, &field->text);
	case 'n':
		return read_names(reader, pool, frame);
	case 'c':
		return read_changes(reader, pool, frame);
	default:
		WRONG("no such type of element");
	}
}

static int find_kind(struct strview name)
{
	for (size_t i = 0; i < array_len(shapes); i++) {
		if (sv_eq_cstr(name, shapes[i].name))
			return (int)i;
	}
	return -1;
}

int baileys_frame_parse(
	struct strview body, struct pool *pool, struct baileys_frame *ret_frame, struct err *err)
{
	struct msgpack_reader reader;
	struct strview name;
	uint32_t n;
	msgpack_reader_init(&reader, body);
	if (msgpack_read_array(&reader, &n) < 0 || n < 1 || msgpack_read_text(&reader, &name) < 0)
		return err_set(err, "a frame that is none");
	int kind = find_kind(name);
	if (kind < 0)
		return err_set(err, "a frame of an unknown kind");
	const char *elements = shapes[kind].elements;
	if (n != strlen(elements) + 1)
		return err_set(err, "%s has %u elements", shapes[kind].name, (unsigned)n);
	struct baileys_frame frame = {.kind = (enum baileys_frame_kind)kind};
	for (size_t i = 0; elements[i] != '\0'; i++) {
		if (read_element(&reader, elements[i], pool, &frame, &frame.fields[i]) < 0)
			return err_set(err, "%s is wrong at element %zu", shapes[kind].name, i + 1);
	}
	if (reader.at != reader.end)
		return err_set(err, "%s has more behind its end", shapes[kind].name);
	*ret_frame = frame;
	return 0;
}

/* --- writing: into memory, it cannot fail --- */

static int append_bytes(void *ctx, const char *data, size_t len)
{
	strbuf_append(ctx, data, len);
	return 0;
}

static msgpack_packer packer_of(struct baileys_writer *writer)
{
	msgpack_packer packer;
	msgpack_packer_init(&packer, writer->out, append_bytes);
	return packer;
}

static void one_less(struct baileys_writer *writer)
{
	ASSERT(writer->left > 0);
	writer->left--;
}

static void pack_text(msgpack_packer *packer, struct strview text)
{
	ASSERT(text.len <= BAILEYS_FRAME_MAX);
	(void)msgpack_pack_str(packer, text.len);
	if (text.len > 0)
		(void)msgpack_pack_str_body(packer, text.ptr, text.len);
}

static void pack_bytes(msgpack_packer *packer, struct strview bytes)
{
	ASSERT(bytes.len <= BAILEYS_FRAME_MAX);
	if (sv_is_null(bytes)) {
		(void)msgpack_pack_nil(packer);
		return;
	}
	(void)msgpack_pack_bin(packer, bytes.len);
	if (bytes.len > 0)
		(void)msgpack_pack_bin_body(packer, bytes.ptr, bytes.len);
}

void baileys_write_begin(
	struct baileys_writer *writer, struct strbuf *out, const char *kind, int n_elements)
{
	static const char head[BAILEYS_FRAME_HEAD];
	*writer = (struct baileys_writer){.out = out, .start = out->len, .left = n_elements};
	strbuf_append(out, head, sizeof(head));
	msgpack_packer packer = packer_of(writer);
	(void)msgpack_pack_array(&packer, (size_t)n_elements + 1);
	pack_text(&packer, sv_from(kind));
}

void baileys_write_int(struct baileys_writer *writer, int64_t number)
{
	msgpack_packer packer = packer_of(writer);
	one_less(writer);
	(void)msgpack_pack_int64(&packer, number);
}

void baileys_write_text(struct baileys_writer *writer, struct strview text)
{
	msgpack_packer packer = packer_of(writer);
	one_less(writer);
	if (sv_is_null(text))
		(void)msgpack_pack_nil(&packer);
	else
		pack_text(&packer, text);
}

void baileys_write_bytes(struct baileys_writer *writer, struct strview bytes)
{
	msgpack_packer packer = packer_of(writer);
	one_less(writer);
	pack_bytes(&packer, bytes);
}

void baileys_write_array(struct baileys_writer *writer, const struct strview *bytes, int n)
{
	msgpack_packer packer = packer_of(writer);
	one_less(writer);
	(void)msgpack_pack_array(&packer, (size_t)n);
	for (int i = 0; i < n; i++)
		pack_bytes(&packer, bytes[i]);
}

void baileys_write_end(struct baileys_writer *writer)
{
	ASSERT(writer->left == 0);
	size_t size = writer->out->len - writer->start - BAILEYS_FRAME_HEAD;
	ASSERT(size <= UINT32_MAX);
	unsigned char *head = (unsigned char *)writer->out->data + writer->start;
	head[0] = (unsigned char)(size >> 24);
	head[1] = (unsigned char)(size >> 16);
	head[2] = (unsigned char)(size >> 8);
	head[3] = (unsigned char)size;
}
