-- The least that each service needs. Functions run with their owner's rights (SECURITY DEFINER) where a service must not
-- touch the table itself.
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO api, sender, gateway, webhooker;
GRANT USAGE ON SCHEMA sandbox TO api, gateway;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA public FROM PUBLIC;
GRANT EXECUTE ON FUNCTION event_id(bigint), event_partition(int) TO api, sender, gateway, webhooker;
GRANT EXECUTE ON FUNCTION emit_events(int[], int[], text[], int2[], timestamptz[], text[]) TO api, sender, gateway, webhooker;
GRANT EXECUTE ON FUNCTION lease_tick(text, text, int, int), lease_release(text, text, int[]), lease_leave(text, text)
	TO sender, gateway, webhooker;
GRANT EXECUTE ON FUNCTION keep_day_partitions(int) TO webhooker;

GRANT SELECT ON ALL TABLES IN SCHEMA public TO api;
REVOKE SELECT ON webhook_secrets FROM api;
GRANT INSERT, UPDATE ON tenants, api_keys, contacts, contact_numbers, sessions, messages, webhooks TO api;
GRANT INSERT, UPDATE, DELETE ON idempotency_keys, once_refs, set_aside TO api;
GRANT DELETE ON contact_numbers, conversations, media TO api;
GRANT UPDATE ON conversations TO api;
GRANT INSERT ON audit, leases, events, deliveries TO api;
GRANT UPDATE (open, status, next_attempt_at, error) ON deliveries TO api;
GRANT DELETE ON leases TO api;
GRANT INSERT, UPDATE ON webhook_secrets TO api;
GRANT UPDATE ON deployment TO api;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO api;
GRANT SELECT, UPDATE ON sandbox.ledger TO api;
GRANT SELECT, INSERT, UPDATE ON sandbox.inbound TO api;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA sandbox TO api;

GRANT SELECT, UPDATE ON messages TO sender;
GRANT SELECT ON sessions, tenants, leases TO sender;
GRANT UPDATE ON leases TO sender; -- only to lock rows FOR KEY SHARE
GRANT SELECT, INSERT ON set_aside TO sender;
GRANT USAGE ON SEQUENCE queue_seq TO sender;

GRANT SELECT, INSERT, UPDATE ON messages TO gateway;
GRANT SELECT, INSERT, UPDATE ON conversations TO gateway;
GRANT SELECT, INSERT ON contacts, contact_numbers, media TO gateway;
GRANT SELECT, UPDATE ON sessions, leases TO gateway; -- UPDATE on leases only to lock rows
GRANT SELECT ON tenants, deployment, webhooks TO gateway;
GRANT SELECT, INSERT ON set_aside TO gateway;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA sandbox TO gateway;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA sandbox TO gateway;

GRANT SELECT ON events, messages, contacts, contact_numbers, webhook_secrets, tenants TO webhooker;
GRANT SELECT, UPDATE ON webhooks, deliveries TO webhooker;
GRANT SELECT ON leases TO webhooker;
GRANT SELECT, INSERT ON delivery_attempts TO webhooker;
GRANT SELECT, INSERT ON set_aside TO webhooker;
GRANT SELECT, DELETE ON idempotency_keys TO webhooker;
