/* Names of permissions and what includes what. */
#include "common/model/permission.h"

#include "common/base/check.h"

static const struct {
	enum permission permission;
	const char *name;
} permissions[PERMISSION_COUNT] = {
	{PERMISSION_MESSAGES_SEND, "messages:send"},
	{PERMISSION_MESSAGES_READ, "messages:read"},
	{PERMISSION_CONTACTS_READ, "contacts:read"},
	{PERMISSION_CONTACTS_CREATE, "contacts:create"},
	{PERMISSION_WEBHOOKS_MANAGE, "webhooks:manage"},
	{PERMISSION_SESSIONS_MANAGE, "sessions:manage"},
	{PERMISSION_EVENTS_READ, "events:read"},
};

const char *permission_name(enum permission permission)
{
	for (int i = 0; i < PERMISSION_COUNT; i++) {
		if (permissions[i].permission == permission) {
			return permissions[i].name;
		}
	}
	WRONG("no such permission");
}

int permission_parse(struct strview text, enum permission *ret_permission)
{
	for (int i = 0; i < PERMISSION_COUNT; i++) {
		if (sv_eq_cstr(text, permissions[i].name)) {
			*ret_permission = permissions[i].permission;
			return 0;
		}
	}
	return -1;
}

int permission_expand(int bits, int strict)
{
	if ((bits & PERMISSION_MESSAGES_SEND) != 0 && !strict) {
		bits |= PERMISSION_MESSAGES_READ | PERMISSION_WEBHOOKS_MANAGE;
	}
	return bits;
}
