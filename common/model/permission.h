/* What an API key may do. The bits stand in Postgres: never renumber. */
#ifndef WA_MODEL_PERMISSION_H
#define WA_MODEL_PERMISSION_H

#include "common/base/strview.h"

enum permission {
	PERMISSION_MESSAGES_SEND = 1 << 0,
	PERMISSION_MESSAGES_READ = 1 << 1,
	PERMISSION_CONTACTS_READ = 1 << 2,
	PERMISSION_CONTACTS_CREATE = 1 << 3,
	PERMISSION_WEBHOOKS_MANAGE = 1 << 4,
	PERMISSION_SESSIONS_MANAGE = 1 << 5,
	PERMISSION_EVENTS_READ = 1 << 6,
};
#define PERMISSION_COUNT 7

const char *permission_name(enum permission permission); /* "messages:send", … */
int permission_parse(struct strview text, enum permission *ret_permission);
/* What a key with these bits may really do: messages:send includes messages:read and
   webhooks:manage unless it is strict. */
int permission_expand(int bits, int strict);

#endif
