/* The head of an answer: status line, Date, length, connection. */
#include <time.h>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/io/http_conn.h"

static const char *reason(int status)
{
	static const struct {
		int status;
		const char *reason;
	} reasons[] = {
		{200, "OK"},
		{201, "Created"},
		{202, "Accepted"},
		{204, "No Content"},
		{206, "Partial Content"},
		{303, "See Other"},
		{304, "Not Modified"},
		{400, "Bad Request"},
		{401, "Unauthorized"},
		{403, "Forbidden"},
		{404, "Not Found"},
		{405, "Method Not Allowed"},
		{406, "Not Acceptable"},
		{408, "Request Timeout"},
		{409, "Conflict"},
		{410, "Gone"},
		{412, "Precondition Failed"},
		{413, "Content Too Large"},
		{415, "Unsupported Media Type"},
		{416, "Range Not Satisfiable"},
		{417, "Expectation Failed"},
		{422, "Unprocessable Content"},
		{423, "Locked"},
		{425, "Too Early"},
		{429, "Too Many Requests"},
		{431, "Request Header Fields Too Large"},
		{500, "Internal Server Error"},
		{501, "Not Implemented"},
		{502, "Bad Gateway"},
		{503, "Service Unavailable"},
		{504, "Gateway Timeout"},
		{505, "HTTP Version Not Supported"},
	};

	for (size_t i = 0; i < array_len(reasons); i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "Other";
}

bool http_status_has_body(int status)
{
	return status >= 200 && status != 204 && status != 304;
}

/* Formatted once a second. */
static const char *date_now(struct http_server *server)
{
	time_t now_s = (time_t)(clock_wall_ms() / 1000);
	struct tm tm;

	if (now_s != server->date_s) {
		gmtime_r(&now_s, &tm);
		/* The daemons never call setlocale(), so that these names are English. */
		strftime(server->date, sizeof(server->date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
		server->date_s = now_s;
	}
	return server->date;
}

static void append_number(struct strbuf *out, uint64_t number)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	strbuf_append(out, digits + at, sizeof(digits) - at);
}

void http_reply_format(struct http_server *server, const struct http_reply_head *head)
{
	struct strbuf *out = &server->head;

	strbuf_reset(out);
	strbuf_append_cstr(out, "HTTP/1.1 ");
	append_number(out, (uint64_t)head->status);
	strbuf_append_char(out, ' ');
	strbuf_append_cstr(out, reason(head->status));
	strbuf_append_cstr(out, "\r\nDate: ");
	strbuf_append_cstr(out, date_now(server));
	if (http_status_has_body(head->status)) {
		strbuf_append_cstr(out, "\r\nContent-Length: ");
		append_number(out, head->body_len);
		if (head->content_type != NULL) {
			strbuf_append_cstr(out, "\r\nContent-Type: ");
			strbuf_append_cstr(out, head->content_type);
		}
	}
	strbuf_append_cstr(out, "\r\n");
	if (head->is_last)
		strbuf_append_cstr(out, "Connection: close\r\n");
	else if (head->minor_version == 0)
		strbuf_append_cstr(out, "Connection: keep-alive\r\n");
	strbuf_append_sv(out, head->fields);
	strbuf_append_cstr(out, "\r\n");
}

void http_reply_header(struct http_request *request, const char *name, struct strview value)
{
	struct strbuf *fields = &request->reply_fields;

	ASSERT(http_is_token(sv_from(name)));
	strbuf_append_cstr(fields, name);
	strbuf_append_cstr(fields, ": ");
	/* A line break in a value would let its giver write the rest of the answer. */
	for (size_t i = 0; i < value.len; i++)
		strbuf_append_char(
			fields, (char)((unsigned char)value.ptr[i] < ' ' ? ' ' : value.ptr[i]));
	strbuf_append_cstr(fields, "\r\n");
}
