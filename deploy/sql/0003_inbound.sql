-- The contact that a phone number belongs to; an unknown number becomes a contact. Two callers that race get the same one: the
-- number's row decides, and who loses takes back the contact that it made. What is kept for a contact is committed before its
-- erasure begins (the same lock as in accepting), or its number is found gone and it is a new contact.
CREATE FUNCTION contact_of_number(p_tenant int, p_phone text) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
DECLARE
	v_contact int;
BEGIN
	PERFORM pg_advisory_xact_lock_shared(3, 0);
	LOOP
		SELECT n.contact_id INTO v_contact FROM contact_numbers n WHERE n.tenant_id = p_tenant AND n.phone = p_phone;
		IF FOUND THEN
			RETURN v_contact;
		END IF;
		INSERT INTO contacts (tenant_id) VALUES (p_tenant) RETURNING id INTO v_contact;
		INSERT INTO contact_numbers (tenant_id, phone, contact_id) VALUES (p_tenant, p_phone, v_contact) ON CONFLICT DO NOTHING;
		IF FOUND THEN
			RETURN v_contact;
		END IF;
		DELETE FROM contacts WHERE id = v_contact;
	END LOOP;
END $$;

REVOKE ALL ON FUNCTION contact_of_number(int, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION contact_of_number(int, text) TO gateway;
