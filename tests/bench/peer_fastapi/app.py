"""The integration guide's own design, as its picture draws it: FastAPI, asyncpg and redis, one worker.

A durable accept of the same promise as ours: the key is checked, the contact is checked, the idempotency key and the message
are committed to Postgres, then the job goes to a Redis stream. Written as a good FastAPI author would write it: one pool,
prepared statements (asyncpg's default), one transaction a request.
"""
import hashlib
import json
import os
import secrets
import time

import asyncpg
import redis.asyncio as redis
from fastapi import FastAPI, Header, HTTPException
from pydantic import BaseModel

SCHEMA = """
CREATE TABLE api_keys (hash bytea PRIMARY KEY, tenant_id int NOT NULL);
CREATE TABLE contacts (id int PRIMARY KEY, tenant_id int NOT NULL, phone text NOT NULL);
CREATE TABLE idempotency_keys (tenant_id int, key text, fingerprint bytea NOT NULL, message_id text NOT NULL,
    PRIMARY KEY (tenant_id, key));
CREATE TABLE messages (id text PRIMARY KEY, tenant_id int NOT NULL, contact_id int NOT NULL, phone text NOT NULL,
    body text NOT NULL, status text NOT NULL, created_at timestamptz NOT NULL DEFAULT now());
CREATE INDEX ON messages (contact_id, id);
"""

app = FastAPI()


class Message(BaseModel):
    contact_id: int
    message_body: str
    message_type: str = "text"


@app.on_event("startup")
async def start():
    app.state.pool = await asyncpg.create_pool(
        os.environ["PEER_DATABASE_URL"], min_size=8, max_size=16, server_settings={"search_path": "peer"}
    )
    app.state.redis = redis.from_url(os.environ["PEER_REDIS_URL"])
    async with app.state.pool.acquire() as db:
        if await db.fetchval("SELECT to_regclass('messages')") is None:
            await db.execute(SCHEMA)
            await db.execute("INSERT INTO contacts SELECT g, 1, '+49' || 1000000000 + g FROM generate_series(1, 1000) g")
            await db.execute(
                "INSERT INTO api_keys VALUES ($1, 1)", hashlib.sha256(os.environ["PEER_API_KEY"].encode()).digest()
            )


@app.post("/api/v1/messages/send", status_code=202)
async def send(message: Message, x_api_key: str = Header(...), idempotency_key: str = Header(...)):
    message_id = "msg_" + secrets.token_hex(13)
    fingerprint = hashlib.sha256(message.json(sort_keys=True).encode()).digest()
    async with app.state.pool.acquire() as db:
        tenant_id = await db.fetchval(
            "SELECT tenant_id FROM api_keys WHERE hash = $1", hashlib.sha256(x_api_key.encode()).digest()
        )
        if tenant_id is None:
            raise HTTPException(401, "API key not found")
        phone = await db.fetchval(
            "SELECT phone FROM contacts WHERE id = $1 AND tenant_id = $2", message.contact_id, tenant_id
        )
        if phone is None:
            raise HTTPException(404, "Contact not found")
        async with db.transaction():
            fresh = await db.fetchval(
                "INSERT INTO idempotency_keys VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING RETURNING message_id",
                tenant_id, idempotency_key, fingerprint, message_id,
            )
            if fresh is None:
                raise HTTPException(409, "key used")
            await db.execute(
                "INSERT INTO messages (id, tenant_id, contact_id, phone, body, status) VALUES ($1, $2, $3, $4, $5, 'queued')",
                message_id, tenant_id, message.contact_id, phone, message.message_body,
            )
    await app.state.redis.xadd("outbound", {"m": json.dumps({"message_id": message_id, "phone": phone})})
    return {
        "message_id": message_id,
        "contact_id": message.contact_id,
        "status": "queued",
        "created_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
