-- emit_events() without a join of two intermediate results: its plan is made once (docs/architecture.md, "Plans"), and such a join would
-- compare each row with each. The numbers are drawn first, rising, so an event's place is found by a search among them.
CREATE OR REPLACE FUNCTION emit_events(p_tenant int[], p_contact int[], p_message text[], p_type int2[], p_at timestamptz[], p_data text[])
RETURNS TABLE (ret_ord int, ret_sequence bigint, ret_created_at timestamptz, ret_webhook_id int)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
DECLARE
	v_now timestamptz;
	v_sequences bigint[];
BEGIN
	IF coalesce(array_length(p_tenant, 1), 0) = 0 THEN
		RETURN;
	END IF;
	PERFORM pg_advisory_xact_lock(1, s.c)
		FROM (SELECT DISTINCT c FROM unnest(p_contact) AS u(c) WHERE c IS NOT NULL ORDER BY c) AS s;
	v_now := clock_timestamp();
	v_sequences := ARRAY(SELECT nextval('event_seq') FROM generate_series(1, array_length(p_tenant, 1)));
	INSERT INTO events (created_at, sequence, tenant_id, contact_id, message_id, type, at, data)
		SELECT v_now, u.sequence, u.tenant, u.contact, u.message, u.type, u.at, u.data::jsonb
		FROM unnest(v_sequences, p_tenant, p_contact, p_message, p_type, p_at, p_data)
			AS u(sequence, tenant, contact, message, type, at, data);
	RETURN QUERY
	WITH owed AS (
		INSERT INTO deliveries (created_at, webhook_id, sequence, tenant_id, contact_id, partition, event_type)
		SELECT v_now, w.id, u.sequence, u.tenant, u.contact, event_partition(u.contact), u.type
		FROM unnest(v_sequences, p_tenant, p_contact, p_type) AS u(sequence, tenant, contact, type)
			JOIN webhooks w ON w.tenant_id = u.tenant AND w.active AND w.disabled_at IS NULL
			AND w.deleted_at IS NULL AND (w.event_mask & (1 << u.type)) <> 0
		RETURNING deliveries.sequence, deliveries.webhook_id
	)
	SELECT width_bucket(o.sequence, v_sequences), o.sequence, v_now, o.webhook_id FROM owed o ORDER BY o.sequence;
END $$;

-- The backlog's size is all that it is for. Its condition keeps it from being taken for the rows of one key, which `open` alone would allow.
CREATE INDEX messages_backlog ON messages (tenant_id) WHERE open AND tenant_id > 0;
DROP INDEX messages_open_tenant;
