-- Leases when Postgres's clock is put back: nobody can have a lease for longer than its whole time, so one that would last much longer was
-- taken by a clock that has been put back since, and is free (if its owner lives, it renews it with its next heartbeat, or finds another
-- epoch there). So is the membership of one that died meanwhile, whose share would lie idle for as long as the clock went back.
CREATE OR REPLACE FUNCTION lease_tick(p_kind text, p_owner text, p_ttl_ms int, p_cap int)
RETURNS TABLE (ret_id int, ret_epoch bigint, ret_surplus boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
DECLARE
	v_now timestamptz := clock_timestamp();
	v_until timestamptz := v_now + p_ttl_ms * interval '1 ms';
	v_last timestamptz := v_until + p_ttl_ms * interval '1 ms'; -- what others take at this moment ends before
	v_members int;
	v_total int;
	v_share int;
	v_held int;
BEGIN
	INSERT INTO members AS m (kind, owner, expires_at) VALUES (p_kind, p_owner, v_until)
		ON CONFLICT (kind, owner) DO UPDATE SET expires_at = EXCLUDED.expires_at;
	DELETE FROM members WHERE ctid IN (SELECT m.ctid FROM members m WHERE m.kind = p_kind
		AND (m.expires_at < v_now - interval '1 minute' OR m.expires_at > v_last) FOR UPDATE SKIP LOCKED);
	SELECT count(*) INTO v_members FROM members WHERE kind = p_kind AND expires_at > v_now;
	SELECT count(*) INTO v_total FROM leases WHERE kind = p_kind;
	v_share := (v_total + v_members - 1) / v_members;
	IF p_cap > 0 AND p_cap < v_share THEN
		v_share := p_cap;
	END IF;
	UPDATE leases SET expires_at = v_until WHERE kind = p_kind AND owner = p_owner AND expires_at > v_now;
	GET DIAGNOSTICS v_held = ROW_COUNT;
	IF v_held < v_share THEN
		UPDATE leases l SET owner = p_owner, epoch = l.epoch + 1, expires_at = v_until
			FROM (SELECT f.id FROM leases f WHERE f.kind = p_kind
				AND (f.owner IS NULL OR f.expires_at <= v_now OR f.expires_at > v_last)
				ORDER BY f.id LIMIT v_share - v_held FOR UPDATE SKIP LOCKED) AS free
			WHERE l.kind = p_kind AND l.id = free.id;
	END IF;
	RETURN QUERY SELECT l.id, l.epoch, row_number() OVER (ORDER BY l.id) > v_share
		FROM leases l WHERE l.kind = p_kind AND l.owner = p_owner AND l.expires_at > v_now ORDER BY l.id;
END $$;
