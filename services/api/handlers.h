/* The handlers of routes.c, a file each kind. Each ends its call with an answer, now or later. */
#ifndef WA_API_HANDLERS_H
#define WA_API_HANDLERS_H

struct api_call;

/* handle_tenants.c */
void handle_tenant_create(struct api_call *call);
void handle_tenant_list(struct api_call *call);
void handle_tenant_get(struct api_call *call);
void handle_tenant_change(struct api_call *call);
/* handle_keys.c */
void handle_key_create(struct api_call *call);
void handle_key_list(struct api_call *call);
void handle_key_rotate(struct api_call *call);
void handle_key_revoke(struct api_call *call);
/* handle_contacts.c, handle_contact_write.c */
void handle_contact_list(struct api_call *call);
void handle_contact_get(struct api_call *call);
void handle_contact_create(struct api_call *call);
void handle_contact_change(struct api_call *call);
void handle_contact_erase(struct api_call *call);
/* handle_send.c */
void handle_message_send(struct api_call *call);
/* handle_messages.c */
void handle_message_get(struct api_call *call);
void handle_message_list(struct api_call *call);
void handle_message_cancel(struct api_call *call);
void handle_conversation(struct api_call *call);
/* handle_webhooks.c, handle_deliveries.c */
void handle_webhook_register(struct api_call *call);
void handle_webhook_list(struct api_call *call);
void handle_webhook_get(struct api_call *call);
void handle_webhook_change(struct api_call *call);
void handle_webhook_delete(struct api_call *call);
void handle_webhook_test(struct api_call *call);
void handle_delivery_list(struct api_call *call);
void handle_webhook_replay(struct api_call *call);
void handle_webhook_rotate_secret(struct api_call *call);
/* handle_events.c */
void handle_event_list(struct api_call *call);
/* handle_sessions.c */
void handle_session_create(struct api_call *call);
void handle_session_list(struct api_call *call);
void handle_session_get(struct api_call *call);
void handle_session_qr(struct api_call *call);
void handle_session_pairing_code(struct api_call *call);
void handle_session_delete(struct api_call *call);
/* handle_set_aside.c */
void handle_set_aside_list(struct api_call *call);
void handle_set_aside_retry(struct api_call *call);
/* handle_sandbox.c */
void handle_sandbox_inbound(struct api_call *call);
void handle_sandbox_outbox(struct api_call *call);
/* handle_media.c, handle_health.c, handle_docs.c */
void handle_media_get(struct api_call *call);
void handle_health(struct api_call *call);
void handle_openapi(struct api_call *call);
void handle_docs(struct api_call *call);
void handle_docs_errors(struct api_call *call);

#endif
