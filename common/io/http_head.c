/* The head of an HTTP/1.x request. */
#include "common/io/http_head.h"

#include <string.h>
#include <strings.h>

#include "common/base/attr.h"

#define METHOD_MAX_BYTES 32

static int refuse(struct http_refusal *ret_refusal, int status, const char *detail)
{
	*ret_refusal = (struct http_refusal){status, detail};
	return -1;
}

static bool is_token_char(unsigned char c)
{
	if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-')
		return true;
	return c != '\0' && strchr("!#$%&'*+.^_`|~", c) != NULL;
}

bool http_is_token(struct strview text)
{
	for (size_t i = 0; i < text.len; i++)
		if (!is_token_char((unsigned char)text.ptr[i]))
			return false;
	return text.len > 0;
}

int http_head_find_end(
	struct strview text, size_t known, size_t *ret_len, struct http_refusal *ret_refusal)
{
	size_t from = known > 3 ? known - 3 : 0;

	if (text.len == 0)
		return 0;
	/* What is no HTTP at all, e.g. a TLS handshake, need not wait for an end that never comes.
	 */
	if (!is_token_char((unsigned char)text.ptr[0]))
		return refuse(ret_refusal, 400, "This is no HTTP request.");
	const char *end = memmem(text.ptr + from, text.len - from, "\r\n\r\n", 4);
	if (end != NULL) {
		*ret_len = (size_t)(end - text.ptr) + 4;
		return 1;
	}
	const char *line_end = memchr(text.ptr, '\n', text.len);
	if (line_end != NULL && line_end[-1] != '\r')
		return refuse(ret_refusal, 400, "Lines must end with CR and LF.");
	return 0;
}

/* --- request line --- */

const char *http_method_name(enum http_method method)
{
	static const char *const names[] = {
		[HTTP_GET] = "GET",
		[HTTP_POST] = "POST",
		[HTTP_PUT] = "PUT",
		[HTTP_PATCH] = "PATCH",
		[HTTP_DELETE] = "DELETE",
		[HTTP_HEAD] = "HEAD",
		[HTTP_OPTIONS] = "OPTIONS",
		[HTTP_OTHER] = "OTHER",
	};

	return names[method];
}

static enum http_method method_from(struct strview name)
{
	for (int method = HTTP_GET; method < HTTP_OTHER; method++)
		if (sv_eq_cstr(name, http_method_name((enum http_method)method)))
			return (enum http_method)method;
	return HTTP_OTHER;
}

static bool is_target(struct strview target)
{
	for (size_t i = 0; i < target.len; i++) {
		unsigned char c = (unsigned char)target.ptr[i];
		if (c <= ' ' || c >= 0x7f || c == '#')
			return false;
	}
	return target.len > 0;
}

/* Take scheme and authority off an absolute-form target, which servers must accept (RFC
 * 9112, 3.2.2). */
static struct strview origin_form(struct strview target)
{
	size_t scheme = 0;

	if (target.len > 7 && strncasecmp(target.ptr, "http://", 7) == 0)
		scheme = 7;
	else if (target.len > 8 && strncasecmp(target.ptr, "https://", 8) == 0)
		scheme = 8;
	if (scheme == 0)
		return target;
	for (size_t i = scheme; i < target.len; i++)
		if (target.ptr[i] == '/')
			return sv_make(target.ptr + i, target.len - i);
	return SV_NULL;
}

static int parse_target(
	struct strview target, struct http_head *head, struct http_refusal *ret_refusal)
{
	if (!is_target(target))
		return refuse(ret_refusal, 400, "The request target has a byte that no URL has.");
	target = origin_form(target);
	if (target.len == 0 || target.ptr[0] != '/')
		return refuse(ret_refusal, 400, "The request target must start with '/'.");
	const char *mark = memchr(target.ptr, '?', target.len);
	size_t path_len = mark != NULL ? (size_t)(mark - target.ptr) : target.len;
	head->path = sv_make(target.ptr, path_len);
	head->query = mark != NULL ? sv_make(mark + 1, target.len - path_len - 1)
				   : sv_make(target.ptr + path_len, 0);
	return 0;
}

static int parse_version(
	struct strview version, struct http_head *head, struct http_refusal *ret_refusal)
{
	if (version.len != 8 || !sv_starts_with(version, "HTTP/") || version.ptr[6] != '.' ||
		version.ptr[5] < '0' || version.ptr[5] > '9' || version.ptr[7] < '0' ||
		version.ptr[7] > '9')
		return refuse(ret_refusal, 400, "The request line is malformed.");
	if (version.ptr[5] != '1')
		return refuse(ret_refusal, 505, "Only HTTP/1.1 and HTTP/1.0 are spoken here.");
	head->minor_version = version.ptr[7] == '0' ? 0 : 1;
	return 0;
}

static int parse_request_line(
	struct strview line, struct http_head *head, struct http_refusal *ret_refusal)
{
	struct strview method, target;

	if (!sv_split(&line, ' ', &method) || !sv_split(&line, ' ', &target) || sv_is_null(line))
		return refuse(ret_refusal, 400, "The request line is malformed.");
	if (!http_is_token(method) || method.len > METHOD_MAX_BYTES)
		return refuse(ret_refusal, 400, "The method is malformed.");
	head->method = method_from(method);
	if (parse_version(line, head, ret_refusal) != 0)
		return -1;
	return parse_target(target, head, ret_refusal);
}

/* --- fields --- */

static bool is_field_value(struct strview value)
{
	for (size_t i = 0; i < value.len; i++) {
		unsigned char c = (unsigned char)value.ptr[i];
		if ((c < ' ' && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}

static struct strview trim_blanks(struct strview text)
{
	while (text.len > 0 && (text.ptr[0] == ' ' || text.ptr[0] == '\t'))
		text = sv_make(text.ptr + 1, text.len - 1);
	while (text.len > 0 && (text.ptr[text.len - 1] == ' ' || text.ptr[text.len - 1] == '\t'))
		text.len--;
	return text;
}

static int parse_field(
	struct strview line, struct http_head *head, struct http_refusal *ret_refusal)
{
	const char *colon = memchr(line.ptr, ':', line.len);

	if (colon == NULL)
		return refuse(ret_refusal, 400, "A header line has no colon.");
	struct strview name = sv_make(line.ptr, (size_t)(colon - line.ptr));
	struct strview value = sv_make(colon + 1, line.len - name.len - 1);
	/* Refuses folded lines and blanks before the colon as well. */
	if (!http_is_token(name))
		return refuse(ret_refusal, 400, "The name of a header is malformed.");
	if (!is_field_value(value))
		return refuse(ret_refusal, 400, "The value of a header has a control byte.");
	if (head->n_fields == HTTP_HEAD_MAX_FIELDS)
		return refuse(ret_refusal, 431, "The request has too many headers.");
	head->fields[head->n_fields++] = (struct http_field){name, trim_blanks(value)};
	return 0;
}

struct strview http_head_field(const struct http_head *head, const char *name)
{
	size_t len = strlen(name);

	for (int i = 0; i < head->n_fields; i++) {
		const struct http_field *field = &head->fields[i];
		if (field->name.len == len && strncasecmp(field->name.ptr, name, len) == 0)
			return field->value;
	}
	return SV_NULL;
}

/* --- what the fields mean for the connection --- */

static int read_content_length(
	struct strview value, struct http_head *head, struct http_refusal *ret_refusal)
{
	if (head->framing != HTTP_FRAMING_NONE)
		return refuse(ret_refusal, 400, "The length of the body is given twice.");
	for (size_t i = 0; i < value.len; i++)
		if (value.ptr[i] < '0' || value.ptr[i] > '9')
			return refuse(ret_refusal, 400, "Content-Length is no number.");
	if (value.len == 0)
		return refuse(ret_refusal, 400, "Content-Length is no number.");
	if (sv_to_i64(value, &head->content_length) != 0)
		return refuse(ret_refusal, 413, "The body is too large.");
	head->framing = HTTP_FRAMING_LENGTH;
	return 0;
}

static int read_transfer_encoding(
	struct strview value, struct http_head *head, struct http_refusal *ret_refusal)
{
	if (head->framing != HTTP_FRAMING_NONE)
		return refuse(ret_refusal, 400, "The length of the body is given twice.");
	if (head->minor_version == 0)
		return refuse(ret_refusal, 400, "HTTP/1.0 has no Transfer-Encoding.");
	if (!sv_ieq_cstr(value, "chunked"))
		return refuse(ret_refusal, 501, "No Transfer-Encoding but chunked is known here.");
	head->framing = HTTP_FRAMING_CHUNKED;
	return 0;
}

static void read_connection(struct strview value, struct http_head *head)
{
	struct strview option;

	while (sv_split(&value, ',', &option)) {
		option = trim_blanks(option);
		if (sv_ieq_cstr(option, "close"))
			head->is_last = true;
		else if (sv_ieq_cstr(option, "keep-alive") && head->minor_version == 0)
			head->is_last = false;
	}
}

static int read_expect(
	struct strview value, struct http_head *head, struct http_refusal *ret_refusal)
{
	if (!sv_ieq_cstr(value, "100-continue"))
		return refuse(ret_refusal, 417, "Nothing but 100-continue can be expected.");
	head->expects_continue = head->minor_version >= 1;
	return 0;
}

static int read_meaning(struct http_head *head, struct http_refusal *ret_refusal)
{
	int n_hosts = 0;
	int result = 0;

	head->is_last = head->minor_version == 0;
	for (int i = 0; i < head->n_fields && result == 0; i++) {
		struct strview name = head->fields[i].name;
		struct strview value = head->fields[i].value;

		switch (name.len) { /* most names need no comparison */
		case sizeof("Host") - 1:
			n_hosts += sv_ieq_cstr(name, "Host");
			break;
		case sizeof("Expect") - 1:
			if (sv_ieq_cstr(name, "Expect"))
				result = read_expect(value, head, ret_refusal);
			break;
		case sizeof("Connection") - 1:
			if (sv_ieq_cstr(name, "Connection"))
				read_connection(value, head);
			break;
		case sizeof("Content-Length") - 1:
			if (sv_ieq_cstr(name, "Content-Length"))
				result = read_content_length(value, head, ret_refusal);
			break;
		case sizeof("Transfer-Encoding") - 1:
			if (sv_ieq_cstr(name, "Transfer-Encoding"))
				result = read_transfer_encoding(value, head, ret_refusal);
			break;
		default:
			break;
		}
	}
	if (result == 0 && (n_hosts > 1 || (n_hosts == 0 && head->minor_version > 0)))
		return refuse(ret_refusal, 400, "There must be one Host header.");
	return result;
}

int http_head_parse(
	struct strview text, struct http_head *ret_head, struct http_refusal *ret_refusal)
{
	struct strview line;
	bool is_first = true;

	ret_head->framing = HTTP_FRAMING_NONE;
	ret_head->content_length = 0;
	ret_head->expects_continue = false;
	ret_head->n_fields = 0;
	text.len -= 2; /* the empty line */
	while (text.len > 0) {
		const char *end = memchr(text.ptr, '\n', text.len);

		if (end == NULL || end == text.ptr || end[-1] != '\r')
			return refuse(ret_refusal, 400, "Lines must end with CR and LF.");
		line = sv_make(text.ptr, (size_t)(end - text.ptr) - 1);
		text = sv_make(end + 1, text.len - line.len - 2);
		if ((is_first ? parse_request_line : parse_field)(line, ret_head, ret_refusal) != 0)
			return -1;
		is_first = false;
	}
	return read_meaning(ret_head, ret_refusal);
}
