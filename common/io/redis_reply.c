/* Views of hiredis's replies. Our enum redis_status comes before hiredis, whose macro REDIS_OK has
 * the same value, 0. */
#include "common/io/redis_conn.h"

#include <hiredis/hiredis.h>

#include "common/base/check.h"

static const redisReply *from_view(const struct redis_reply *reply)
{
	return (const redisReply *)reply;
}

const char *redis_status_name(enum redis_status status)
{
	switch (status) {
	case REDIS_OK:
		return "ok";
	case REDIS_REFUSED:
		return "refused";
	case REDIS_UNKNOWN:
		return "unknown";
	case REDIS_UNAVAILABLE:
		return "unavailable";
	}
	WRONG("no such redis_status");
}

enum redis_kind redis_reply_kind(const struct redis_reply *reply)
{
	if (reply == NULL)
		return REDIS_NIL;
	switch (from_view(reply)->type) {
	case REDIS_REPLY_STRING:
	case REDIS_REPLY_STATUS:
		return REDIS_STRING;
	case REDIS_REPLY_INTEGER:
		return REDIS_INT;
	case REDIS_REPLY_ARRAY:
		return REDIS_ARRAY;
	case REDIS_REPLY_ERROR:
		return REDIS_ERROR;
	default:
		return REDIS_NIL;
	}
}

struct strview redis_reply_string(const struct redis_reply *reply)
{
	enum redis_kind kind = redis_reply_kind(reply);
	if (kind != REDIS_STRING && kind != REDIS_ERROR)
		return SV_NULL;
	return sv_make(from_view(reply)->str, (size_t)from_view(reply)->len);
}

int64_t redis_reply_int(const struct redis_reply *reply)
{
	return redis_reply_kind(reply) == REDIS_INT ? from_view(reply)->integer : 0;
}

int redis_reply_len(const struct redis_reply *reply)
{
	return redis_reply_kind(reply) == REDIS_ARRAY ? (int)from_view(reply)->elements : 0;
}

const struct redis_reply *redis_reply_at(const struct redis_reply *reply, int index)
{
	ASSERT(index >= 0 && index < redis_reply_len(reply));
	return (const struct redis_reply *)from_view(reply)->element[index];
}
