-- Autovacuum analyzes these two every fifteen seconds while they grow: with the usual target that took half a second of a core, which
-- everybody who was just being answered waited for. Their hot statements' plans do not hang on fine statistics (docs/architecture.md,
-- "Plans"), and what no condition names needs none.
DO $$
DECLARE
	v_table text;
	v_column name;
BEGIN
	FOREACH v_table IN ARRAY ARRAY['messages', 'idempotency_keys'] LOOP
		FOR v_column IN SELECT attname FROM pg_attribute
			WHERE attrelid = v_table::regclass AND attnum > 0 AND NOT attisdropped LOOP
			EXECUTE format('ALTER TABLE %I ALTER COLUMN %I SET STATISTICS %s', v_table, v_column,
				CASE WHEN v_column IN ('body', 'caption', 'metadata', 'detail', 'media_url', 'filename', 'error',
					'edited_body', 'fingerprint') THEN 0 ELSE 10 END);
		END LOOP;
	END LOOP;
END $$;
