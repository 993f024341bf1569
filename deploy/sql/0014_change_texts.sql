-- What a change says is told in its event and stands in its message; here nobody read it, and the text of an edit whose message was not
-- known could not be found when its writer was erased. The column goes in a later version: gateways of the version before, which run
-- beside while an upgrade goes on, still name it.
UPDATE message_changes SET body = NULL WHERE body IS NOT NULL;
COMMENT ON COLUMN message_changes.body IS 'not used any more: always NULL; to be dropped';

-- Rights that nobody uses.
REVOKE SELECT ON message_changes FROM webhooker;
REVOKE DELETE ON message_changes FROM api;
REVOKE DELETE ON session_pairing FROM api;
