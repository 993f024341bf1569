/* redis://[[user]:password@]host[:port][/db] taken apart. Pure. */
#ifndef WA_IO_REDIS_URL_H
#define WA_IO_REDIS_URL_H

#include "common/base/err.h"
#include "common/base/pool.h"
#include "common/base/strview.h"

#define REDIS_DEFAULT_PORT 6379

struct redis_url {
	const char *user;     /* NULL: the default one */
	const char *password; /* NULL: none asked for */
	const char *host;     /* without the brackets of an IPv6 address */
	int port;
	int db;
};

/* User and password are percent-decoded. The texts live in pool. 0, or -1 with err, which never
 * quotes the URL. */
int redis_url_parse(struct strview text, struct pool *pool, struct redis_url *ret_url,
	struct err *err) MUST_CHECK;

#endif
