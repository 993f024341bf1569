/* No text gives a Redis address that cannot be used, and no error quotes the text (it holds a
 * password). */
#include <string.h>

#include "common/base/check.h"
#include "common/io/redis_url.h"
#include "tests/fuzz/fuzz.h"

static void check_url(const struct redis_url *url)
{
	ASSERT(url->port >= 1 && url->port <= 65535);
	ASSERT(url->db >= 0);
	ASSERT(url->host != NULL && url->host[0] != '\0');
	ASSERT(strpbrk(url->host, "@/[]") == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
	static const char secret[] = "redis://:QQQQsecretQQQQ@";
	struct pool *pool = pool_new();
	struct redis_url url;
	struct err err = {""};

	if (redis_url_parse(sv_make(data, size_bytes), pool, &url, &err) == 0)
		check_url(&url);
	else
		ASSERT(err.text[0] != '\0' && strchr(err.text, '\n') == NULL);
	/* The same behind a password: it never shows. */
	size_t len = sizeof(secret) - 1;
	char *text = pool_alloc(pool, len + size_bytes);
	memcpy(text, secret, len);
	memcpy(text + len, data, size_bytes);
	err.text[0] = '\0';
	if (redis_url_parse(sv_make(text, len + size_bytes), pool, &url, &err) == 0)
		check_url(&url);
	ASSERT(strstr(err.text, "QQQQsecretQQQQ") == NULL);
	pool_free(&pool);
	return 0;
}
