-- Plan every execution anew. A plan that was made while a table was empty reads all of it, and is kept until the next ANALYZE: a
-- queue that fills within seconds would be read from end to end by every batch until then. Planning anew looks at the table's
-- present size; what it costs is shared by the hundreds of rows of a batch.
DO $$ BEGIN
	EXECUTE format('ALTER DATABASE %I SET plan_cache_mode = force_custom_plan', current_database());
END $$;
