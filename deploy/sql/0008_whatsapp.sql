-- WhatsApp sessions that are real: what their engines keep, how they are paired, and what happens to messages after they came.

-- Credentials and Signal keys of a session's engine, sealed (common/base/secret_box.h, context "session:<session_id>:<name>").
-- Written only by who holds the session's lease, in a transaction that checks its epoch. The engine names the keys; nobody else
-- looks into them.
CREATE TABLE session_keys (
	session_id     int NOT NULL,
	name           text COLLATE "C" NOT NULL,
	sealed         bytea NOT NULL,
	PRIMARY KEY (session_id, name)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);

-- A session that is to be paired: what a person scans or types, and what was asked of the gateway that owns it.
CREATE TABLE session_pairing (
	session_id     int PRIMARY KEY REFERENCES sessions,
	wanted         text,                       -- '': a code to scan; digits: a code to type on the phone of that number; NULL: nothing is asked
	qr             text,
	qr_until       timestamptz,
	code           text,
	code_phone     text,                       -- digits; for whom it is
	code_until     timestamptz
) WITH (fillfactor = 50);

-- Locations and contacts, as JSON; and which message it replies to (its WhatsApp id).
ALTER TABLE messages ADD COLUMN detail jsonb;
ALTER TABLE messages ADD COLUMN reply_to text COLLATE "C";
ALTER TABLE messages ADD COLUMN edited_at timestamptz;
ALTER TABLE messages ADD COLUMN edited_body text;         -- the newest text; body stays what came first
ALTER TABLE messages ADD COLUMN deleted_at timestamptz; -- by who wrote it, on WhatsApp: it is kept here

-- What a contact did to a message: reactions, edits, deletions. The key drops a second offer.
CREATE TABLE message_changes (
	session_id     int NOT NULL,
	wa_message_id  text COLLATE "C" NOT NULL,  -- of the change itself
	from_me        boolean NOT NULL,
	kind           smallint NOT NULL,          -- as the event: 2 reaction, 3 edit, 4 deletion
	target_wa_id   text COLLATE "C" NOT NULL,
	message_id     text COLLATE "C",           -- of the message meant; NULL: it is not known here
	contact_id     int,
	at             timestamptz NOT NULL,
	body           text,                       -- the emoji (empty: taken back), the new text
	PRIMARY KEY (session_id, wa_message_id, from_me)
);
CREATE INDEX message_changes_contact ON message_changes (contact_id) WHERE contact_id IS NOT NULL;

GRANT SELECT, INSERT, UPDATE, DELETE ON session_keys, session_pairing TO gateway;
GRANT SELECT, INSERT, UPDATE, DELETE ON session_pairing TO api;
GRANT SELECT, INSERT ON message_changes TO gateway;
GRANT SELECT, UPDATE, DELETE ON message_changes TO api;
GRANT SELECT ON message_changes TO webhooker;
