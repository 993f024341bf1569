/* Type and subtype, lower case, without parameters. */
#include "services/gateway/media_type.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static bool is_token_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool is_token(struct strview text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (!is_token_char(text.ptr[i]))
			return false;
	}
	return text.len > 0;
}

void media_type_clean(struct strview text, char ret_type[MEDIA_TYPE_SIZE])
{
	struct strview rest = text;
	struct strview whole = SV_NULL;
	struct strview type = SV_NULL;
	(void)snprintf(ret_type, MEDIA_TYPE_SIZE, "application/octet-stream");
	if (!sv_split(&rest, ';', &whole))
		return;
	whole = sv_trim(whole);
	struct strview subtype = whole;
	if (whole.len >= MEDIA_TYPE_SIZE || !sv_split(&subtype, '/', &type) || !is_token(type) ||
		!is_token(subtype))
		return;
	for (size_t i = 0; i < whole.len; i++) {
		char c = whole.ptr[i];
		ret_type[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
	}
	ret_type[whole.len] = '\0';
}
