-- Media files may lie in an S3-like store (WA_MEDIA_STORE=s3): then bytes is null and object names the object there. An object has a
-- name of its own each time a file is kept (hash and a random part), so that deleting one can never take away what is just being kept.
ALTER TABLE media ALTER COLUMN bytes DROP NOT NULL;
ALTER TABLE media ADD COLUMN object text COLLATE "C";
ALTER TABLE media ADD CONSTRAINT media_lies_in_one_place CHECK ((bytes IS NULL) <> (object IS NULL)) NOT VALID;

-- Objects that no row of media names: those that are being put, and those that are to be deleted. Written before an object is put and
-- in the transaction that deletes its media row, so that no object is ever forgotten.
CREATE TABLE media_loose (
	object     text COLLATE "C" PRIMARY KEY,
	created_at timestamptz NOT NULL DEFAULT now(), -- when putting it was begun, last
	doomed     boolean NOT NULL DEFAULT false      -- will be deleted: no row may name it any more
);
CREATE INDEX media_loose_doomed ON media_loose (object) WHERE doomed;

GRANT SELECT, INSERT, UPDATE, DELETE ON media_loose TO api, gateway;
