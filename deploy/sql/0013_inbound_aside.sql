-- An incoming message that Postgres refuses for good is set aside, sealed, and acknowledged, so that its session goes on. It is known by its WhatsApp
-- id when it is offered again, and goes with its person when that is erased.
ALTER TABLE set_aside ADD COLUMN session_id int, ADD COLUMN wa_message_id text COLLATE "C", ADD COLUMN from_me boolean, ADD COLUMN phone text;
CREATE UNIQUE INDEX set_aside_inbound ON set_aside (session_id, wa_message_id, from_me) WHERE kind = 'inbound';
COMMENT ON COLUMN set_aside.kind IS 'outbound, dispatch, outcome, event: the stream; message, delivery; inbound: a message that came';
COMMENT ON COLUMN set_aside.payload IS 'of a stream entry; of kind inbound: what came, sealed with WA_MASTER_KEY; gone when it was taken back';
GRANT UPDATE (payload, reason, retried_at) ON set_aside TO gateway;
