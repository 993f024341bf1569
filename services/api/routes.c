/* The table of calls. The hottest stands first; a fixed segment stands before a braced one that
 * would take it too. */
#include "services/api/routes.h"

#include "common/base/check.h"
#include "common/model/permission.h"
#include "services/api/handlers.h"

#define SEND     ROUTE_TENANT, PERMISSION_MESSAGES_SEND
#define READ     ROUTE_TENANT, PERMISSION_MESSAGES_READ
#define CONTACTS ROUTE_TENANT, PERMISSION_CONTACTS_READ
#define CREATE   ROUTE_TENANT, PERMISSION_CONTACTS_CREATE
#define WEBHOOKS ROUTE_TENANT, PERMISSION_WEBHOOKS_MANAGE
#define SESSIONS ROUTE_TENANT, PERMISSION_SESSIONS_MANAGE
#define EVENTS   ROUTE_TENANT, PERMISSION_EVENTS_READ
#define LINK     ROUTE_LINK, PERMISSION_MESSAGES_READ
#define OPERATOR ROUTE_OPERATOR, 0
#define OPEN     ROUTE_OPEN, 0

#define V1      "/api/v1"
#define KEYS    V1 "/tenants/{tenant_id}/api-keys"
#define WEBHOOK V1 "/webhooks/{webhook_id}"
#define SESSION V1 "/sessions/{session_id}"

/* clang-format off */
static const struct route routes[] = {
	{HTTP_POST, V1 "/messages/send", "sendMessage", SEND, ROUTE_BODY, true, handle_message_send},
	{HTTP_GET, V1 "/messages", "listMessages", READ, ROUTE_NO_BODY, false, handle_message_list},
	{HTTP_GET, V1 "/messages/{message_id}", "getMessage", READ, ROUTE_NO_BODY, false, handle_message_get},
	{HTTP_POST, V1 "/messages/{message_id}/cancel", "cancelMessage", SEND, ROUTE_OPTIONAL_BODY, false, handle_message_cancel},
	{HTTP_GET, V1 "/conversations/{contact_id}/messages", "getConversation", READ, ROUTE_NO_BODY, false, handle_conversation},
	{HTTP_GET, V1 "/media/{sha256}", "getMedia", LINK, ROUTE_NO_BODY, false, handle_media_get},

	{HTTP_GET, V1 "/contacts", "listContacts", CONTACTS, ROUTE_NO_BODY, false, handle_contact_list},
	{HTTP_POST, V1 "/contacts", "createContact", CREATE, ROUTE_BODY, true, handle_contact_create},
	{HTTP_GET, V1 "/contacts/{contact_id}", "getContact", CONTACTS, ROUTE_NO_BODY, false, handle_contact_get},
	{HTTP_PATCH, V1 "/contacts/{contact_id}", "changeContact", CREATE, ROUTE_BODY, false, handle_contact_change},
	{HTTP_DELETE, V1 "/contacts/{contact_id}", "eraseContact", CREATE, ROUTE_NO_BODY, false, handle_contact_erase},

	{HTTP_POST, V1 "/webhooks/register", "registerWebhook", WEBHOOKS, ROUTE_BODY, true, handle_webhook_register},
	{HTTP_GET, V1 "/webhooks", "listWebhooks", WEBHOOKS, ROUTE_NO_BODY, false, handle_webhook_list},
	{HTTP_GET, WEBHOOK, "getWebhook", WEBHOOKS, ROUTE_NO_BODY, false, handle_webhook_get},
	{HTTP_PATCH, WEBHOOK, "changeWebhook", WEBHOOKS, ROUTE_BODY, false, handle_webhook_change},
	{HTTP_DELETE, WEBHOOK, "deleteWebhook", WEBHOOKS, ROUTE_NO_BODY, false, handle_webhook_delete},
	{HTTP_POST, WEBHOOK "/test", "testWebhook", WEBHOOKS, ROUTE_OPTIONAL_BODY, true, handle_webhook_test},
	{HTTP_POST, WEBHOOK "/rotate-secret", "rotateWebhookSecret", WEBHOOKS, ROUTE_OPTIONAL_BODY, true, handle_webhook_rotate_secret},
	{HTTP_POST, WEBHOOK "/replay", "replayEvents", WEBHOOKS, ROUTE_BODY, false, handle_webhook_replay},
	{HTTP_GET, WEBHOOK "/deliveries", "listDeliveries", WEBHOOKS, ROUTE_NO_BODY, false, handle_delivery_list},
	{HTTP_GET, V1 "/events", "listEvents", EVENTS, ROUTE_NO_BODY, false, handle_event_list},

	{HTTP_POST, V1 "/sessions", "createSession", SESSIONS, ROUTE_BODY, true, handle_session_create},
	{HTTP_GET, V1 "/sessions", "listSessions", SESSIONS, ROUTE_NO_BODY, false, handle_session_list},
	{HTTP_GET, SESSION, "getSession", SESSIONS, ROUTE_NO_BODY, false, handle_session_get},
	{HTTP_DELETE, SESSION, "deleteSession", SESSIONS, ROUTE_NO_BODY, false, handle_session_delete},
	{HTTP_GET, SESSION "/qr", "getSessionQr", SESSIONS, ROUTE_NO_BODY, false, handle_session_qr},
	{HTTP_POST, SESSION "/pairing-code", "createPairingCode", SESSIONS, ROUTE_BODY, false, handle_session_pairing_code},

	{HTTP_POST, V1 "/sandbox/inbound", "sandboxInbound", SEND, ROUTE_BODY, true, handle_sandbox_inbound},
	{HTTP_GET, V1 "/sandbox/outbox", "sandboxOutbox", SEND, ROUTE_NO_BODY, false, handle_sandbox_outbox},

	{HTTP_POST, V1 "/tenants", "createTenant", OPERATOR, ROUTE_BODY, true, handle_tenant_create},
	{HTTP_GET, V1 "/tenants", "listTenants", OPERATOR, ROUTE_NO_BODY, false, handle_tenant_list},
	{HTTP_GET, V1 "/tenants/{tenant_id}", "getTenant", OPERATOR, ROUTE_NO_BODY, false, handle_tenant_get},
	{HTTP_PATCH, V1 "/tenants/{tenant_id}", "changeTenant", OPERATOR, ROUTE_BODY, false, handle_tenant_change},
	{HTTP_POST, KEYS, "createApiKey", OPERATOR, ROUTE_BODY, true, handle_key_create},
	{HTTP_GET, KEYS, "listApiKeys", OPERATOR, ROUTE_NO_BODY, false, handle_key_list},
	{HTTP_POST, KEYS "/{key_id}/rotate", "rotateApiKey", OPERATOR, ROUTE_OPTIONAL_BODY, true, handle_key_rotate},
	{HTTP_DELETE, KEYS "/{key_id}", "revokeApiKey", OPERATOR, ROUTE_NO_BODY, false, handle_key_revoke},
	{HTTP_GET, V1 "/set-aside", "listSetAside", OPERATOR, ROUTE_NO_BODY, false, handle_set_aside_list},
	{HTTP_POST, V1 "/set-aside/{set_aside_id}/retry", "retrySetAside", OPERATOR, ROUTE_OPTIONAL_BODY, false, handle_set_aside_retry},

	{HTTP_GET, V1 "/health", "getHealth", OPEN, ROUTE_NO_BODY, false, handle_health},
	{HTTP_GET, "/openapi.json", "getOpenapi", OPEN, ROUTE_NO_BODY, false, handle_openapi},
	{HTTP_GET, "/docs", "getDocs", OPEN, ROUTE_NO_BODY, false, handle_docs},
	{HTTP_GET, "/docs/errors", "getDocsErrors", OPEN, ROUTE_NO_BODY, false, handle_docs_errors},
};
/* clang-format on */

_Static_assert(
	sizeof(routes) / sizeof(routes[0]) <= ROUTES_MAX, "request_stats has a row for each");

const struct route *routes_get(int *ret_n)
{
	*ret_n = (int)array_len(routes);
	return routes;
}

int routes_index(const struct route *route)
{
	ASSERT(route >= routes && route < routes + array_len(routes));
	return (int)(route - routes);
}
