-- What was played to a phone of a sandbox session that is deleted now goes nowhere: the api takes it away.
GRANT DELETE ON sandbox.inbound TO api;
