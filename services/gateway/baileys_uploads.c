/* Files that WhatsApp's users sent, in parts from the worker, whole to where they are kept, by
 * their hash. */
#include <string.h>

#include "common/base/check.h"
#include "common/base/digest.h"
#include "common/base/mem.h"
#include "services/gateway/baileys.h"
#include "services/gateway/media_fetch.h"
#include "services/gateway/media_keep.h"

#define FILES_MAX      8
#define PART_MAX       262144
#define TYPE_MAX_BYTES 127
#define KEEP_WAIT_MS   45000 /* the worker waits a minute */

struct upload {
	TAILQ_ENTRY(upload) link;
	struct baileys_uploads *uploads;
	struct baileys_line *line;
	int64_t request;
	char *content_type;
	struct strbuf bytes;
	bool is_too_large; /* what follows of it is thrown away */
	bool is_whole;     /* on its way to where it is kept */
	struct media_keep *keep;
	char sha256[MEDIA_SHA256_SIZE];
};

struct baileys_uploads {
	struct baileys *baileys;
	TAILQ_HEAD(, upload) files;
	int n_files;
};

struct baileys_uploads *baileys_uploads_new(struct baileys *baileys)
{
	struct baileys_uploads *uploads = mem_new(struct baileys_uploads);
	uploads->baileys = baileys;
	TAILQ_INIT(&uploads->files);
	return uploads;
}

static void upload_free(struct upload *upload)
{
	struct baileys_uploads *uploads = upload->uploads;
	media_keep_cancel(&upload->keep);
	TAILQ_REMOVE(&uploads->files, upload, link);
	uploads->n_files--;
	strbuf_deinit(&upload->bytes);
	mem_free(upload->content_type);
	mem_free(upload);
}

void baileys_uploads_free(struct baileys_uploads **uploads)
{
	ASSERT(TAILQ_EMPTY(&(*uploads)->files));
	mem_free(*uploads);
	*uploads = NULL;
}

void baileys_uploads_forget(struct baileys_uploads *uploads, const struct baileys_line *line)
{
	struct upload *next;
	for (struct upload *upload = TAILQ_FIRST(&uploads->files); upload != NULL; upload = next) {
		next = TAILQ_NEXT(upload, link);
		if (upload->line == line)
			upload_free(upload);
	}
}

static struct upload *find_upload(
	const struct baileys_uploads *uploads, const struct baileys_line *line, int64_t request)
{
	struct upload *upload;
	TAILQ_FOREACH(upload, &uploads->files, link)
	{
		if (upload->line == line && upload->request == request)
			return upload;
	}
	return NULL;
}

static struct upload *upload_new(struct baileys_uploads *uploads, struct baileys_line *line,
	const struct baileys_frame *frame)
{
	struct strview type = frame->fields[MEDIA_WRITE_TYPE].text;
	struct upload *upload = mem_new(struct upload);
	upload->uploads = uploads;
	upload->line = line;
	upload->request = frame->fields[BAILEYS_REQUEST].number;
	upload->content_type = type.len > 0 && type.len <= TYPE_MAX_BYTES
				       ? mem_strndup(type.ptr, type.len)
				       : mem_strdup("application/octet-stream");
	TAILQ_INSERT_TAIL(&uploads->files, upload, link);
	uploads->n_files++;
	return upload;
}

static void answer(struct upload *upload, struct strview sha256)
{
	struct strbuf out = STRBUF_INIT;
	struct baileys_writer writer;
	baileys_write_begin(&writer, &out, "media_kept", 3);
	baileys_write_int(&writer, upload->line->number);
	baileys_write_int(&writer, upload->request);
	baileys_write_text(&writer, sha256);
	baileys_write_end(&writer);
	baileys_post(upload->uploads->baileys, &out);
	upload_free(upload);
}

static void on_kept(void *ctx, enum media_keep_end end, const struct err *err)
{
	struct upload *upload = ctx;
	(void)err;
	upload->keep = NULL;
	if (end == MEDIA_KEEP_DONE)
		answer(upload, sv_from(upload->sha256));
	else if (end == MEDIA_KEEP_LATER)
		baileys_line_break(upload->line, "files cannot be kept now"); /* frees it */
	else
		answer(upload, SV_NULL);
}

static void keep(struct upload *upload)
{
	uint8_t hash[SHA256_SIZE];
	struct strbuf hex = STRBUF_INIT;
	sha256(strbuf_view(&upload->bytes), hash);
	hex_encode(hash, sizeof(hash), &hex);
	ASSERT(hex.len < sizeof(upload->sha256));
	memcpy(upload->sha256, hex.data, hex.len + 1);
	strbuf_deinit(&hex);
	struct media_file_kept file = {
		.message_id = SV_NULL,
		.sha256 = sv_from(upload->sha256),
		.content_type = sv_from(upload->content_type),
		.bytes = strbuf_view(&upload->bytes),
		.wait_ms = KEEP_WAIT_MS,
	};
	upload->keep = media_keep_start(upload->uploads->baileys->keeper, &file, on_kept, upload);
	strbuf_deinit(&upload->bytes);
}

void baileys_uploads_take(struct baileys_uploads *uploads, struct baileys_line *line,
	const struct baileys_frame *frame)
{
	struct strview part = frame->fields[MEDIA_WRITE_BYTES].text;
	int64_t max = setting_int(uploads->baileys->settings, SETTING_MEDIA_MAX_BYTES);
	struct upload *upload = find_upload(uploads, line, frame->fields[BAILEYS_REQUEST].number);
	if (part.len > PART_MAX || (upload == NULL && uploads->n_files >= FILES_MAX) ||
		(upload != NULL && upload->is_whole)) {
		baileys_worker_refuse(uploads->baileys->worker, "media that is too much at once");
		return;
	}
	if (upload == NULL)
		upload = upload_new(uploads, line, frame);
	if ((int64_t)(upload->bytes.len + part.len) > max) {
		upload->is_too_large = true;
		strbuf_deinit(&upload->bytes);
	}
	if (!upload->is_too_large)
		strbuf_append_sv(&upload->bytes, part);
	if (frame->fields[MEDIA_WRITE_LAST].number == 0)
		return;
	upload->is_whole = true;
	if (upload->is_too_large)
		answer(upload, SV_NULL);
	else
		keep(upload);
}
