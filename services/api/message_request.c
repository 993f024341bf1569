/* Reads and judges what a caller wants to have sent. */
#include "services/api/message_request.h"

#include <string.h>

#include "services/api/body_reader.h"

#define DAY_MS ((int64_t)86400000)

static void read_recipient(struct body_reader *reader, struct message_request *request)
{
	static const struct body_text_rule phone_rule = {BODY_OPTIONAL, 64, true, false};
	struct strview phone;
	struct err err;

	(void)body_id(reader, "contact_id", BODY_OPTIONAL, &request->contact_id);
	bool has_contact = body_has(reader, "contact_id");
	bool has_phone = body_has(reader, "phone_number");
	if (!has_contact && !has_phone)
		body_reader_fail(reader, "contact_id", "is required, or phone_number");
	if (has_contact && has_phone)
		body_reader_fail(
			reader, "phone_number", "must not be given together with contact_id");
	if (body_text(reader, "phone_number", &phone_rule, &phone) &&
		phone_parse(phone, request->phone, &err) != 0)
		body_reader_fail(reader, "phone_number", "%s", err.text);
}

/* False when the type is wrong, so that nothing can be said about the fields that depend on it. */
static bool read_type(struct body_reader *reader, struct message_request *request)
{
	static const struct body_text_rule rule = {BODY_OPTIONAL, 64, true, false};
	struct strview text;

	request->type = MESSAGE_TEXT;
	if (!body_has(reader, "message_type"))
		return true;
	if (!body_text(reader, "message_type", &rule, &text))
		return false;
	if (message_type_parse(text, &request->type) == 0)
		return true;
	body_reader_fail(
		reader, "message_type", "must be one of text, image, document, audio, video");
	return false;
}

static const char *const media_fields[] = {"caption", "media_url", "filename"};

static void read_text(struct body_reader *reader, struct message_request *request)
{
	static const struct body_text_rule rule = {
		BODY_REQUIRED, MESSAGE_MAX_BODY_BYTES, false, false};

	(void)body_text(reader, "message_body", &rule, &request->body);
	for (size_t i = 0; i < array_len(media_fields); i++) {
		if (body_has(reader, media_fields[i]))
			body_reader_fail(reader, media_fields[i],
				"only goes with message_type image, document, audio or video");
	}
}

static void read_media_url(
	struct body_reader *reader, const struct url_guard *guard, struct message_request *request)
{
	static const struct body_text_rule rule = {BODY_REQUIRED, URL_MAX_BYTES, false, true};
	struct err err;

	if (body_text(reader, "media_url", &rule, &request->media_url) &&
		url_guard_check_url(guard, request->media_url, &err) != 0)
		body_reader_fail(reader, "media_url", "cannot be used: %s", err.text);
}

/* The name that a phone shows: one path segment. */
static void read_filename(struct body_reader *reader, struct message_request *request)
{
	static const struct body_text_rule rule = {
		BODY_OPTIONAL, MESSAGE_MAX_FILENAME_BYTES, false, true};

	if (!body_text(reader, "filename", &rule, &request->filename))
		return;
	if (memchr(request->filename.ptr, '/', request->filename.len) != NULL ||
		memchr(request->filename.ptr, '\\', request->filename.len) != NULL)
		body_reader_fail(reader, "filename", "must not contain a slash or a backslash");
}

/* message_body stands for the caption, as Twilio's Body does, unless there is a caption too. */
static void read_media(
	struct body_reader *reader, const struct url_guard *guard, struct message_request *request)
{
	static const struct body_text_rule rule = {
		BODY_OPTIONAL, MESSAGE_MAX_CAPTION_BYTES, true, false};
	struct strview caption = SV_NULL;
	struct strview body = SV_NULL;

	read_media_url(reader, guard, request);
	read_filename(reader, request);
	(void)body_text(reader, "caption", &rule, &caption);
	(void)body_text(reader, "message_body", &rule, &body);
	if (caption.len > 0 && body.len > 0)
		body_reader_fail(reader, "message_body",
			"stands for the caption of media and must not be given together with it");
	struct strview chosen = caption.len > 0 ? caption : body;
	request->caption = chosen.len > 0 ? chosen : SV_NULL;
}

static void read_content(
	struct body_reader *reader, const struct url_guard *guard, struct message_request *request)
{
	if (!read_type(reader, request)) {
		(void)body_has(reader, "message_body");
		for (size_t i = 0; i < array_len(media_fields); i++)
			(void)body_has(reader, media_fields[i]);
	} else if (message_type_is_media(request->type)) {
		read_media(reader, guard, request);
	} else {
		read_text(reader, request);
	}
}

static void read_session(struct body_reader *reader, struct message_request *request)
{
	if (body_id(reader, "session_id", BODY_OPTIONAL, &request->session_id) &&
		request->session_id == 0)
		body_reader_fail(reader, "session_id", "is no session of yours");
}

static void read_reference(struct body_reader *reader, struct message_request *request)
{
	static const struct body_text_rule rule = {
		BODY_OPTIONAL, MESSAGE_MAX_REF_BYTES, false, true};

	(void)body_text(reader, "external_ref", &rule, &request->external_ref);
	(void)body_bool(reader, "once", &request->once);
	if (request->once && !body_has(reader, "external_ref"))
		body_reader_fail(reader, "external_ref", "is required with once");
	(void)body_object_text(reader, "metadata", MESSAGE_MAX_METADATA_BYTES, &request->metadata);
}

static void read_times(
	struct body_reader *reader, int64_t now, bool may_repeat, struct message_request *request)
{
	int64_t latest = now + MESSAGE_MAX_AHEAD_DAYS * DAY_MS;

	if (body_time(reader, "send_at", &request->send_at) && request->send_at > latest)
		body_reader_fail(
			reader, "send_at", "must be at most %d days ahead", MESSAGE_MAX_AHEAD_DAYS);
	if (!body_time(reader, "valid_until", &request->valid_until))
		return;
	if (request->valid_until <= now && !may_repeat)
		body_reader_fail(reader, "valid_until", "must be in the future");
	else if (request->send_at != MESSAGE_NO_TIME && request->valid_until <= request->send_at)
		body_reader_fail(reader, "valid_until", "must be after send_at");
}

int message_request_read(const struct json *body, const struct url_guard *guard, int64_t now,
	bool has_key, struct pool *pool, struct field_errors *errors,
	struct message_request *ret_request)
{
	struct message_request request = {
		.send_at = MESSAGE_NO_TIME, .valid_until = MESSAGE_NO_TIME};
	struct body_reader reader;
	int before = errors->n;

	body_reader_init(&reader, body, "", pool, errors);
	read_recipient(&reader, &request);
	read_content(&reader, guard, &request);
	read_reference(&reader, &request);
	read_times(&reader, now, has_key || request.once, &request);
	read_session(&reader, &request);
	body_reader_end(&reader);
	if (errors->n > before)
		return -1;
	*ret_request = request;
	return 0;
}
