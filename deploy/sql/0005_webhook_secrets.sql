-- Rotating a webhook's secret sets an end to those before it. What tells which they are may be read by the api, the secrets not.
GRANT SELECT (webhook_id, expires_at) ON webhook_secrets TO api;
