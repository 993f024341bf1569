// The double ends in order and comes back: nobody has to pair again.
import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { Admin, bodyOf, jidOf, newNumber, startAll, startDouble } from './support/setup.mjs';

test('accounts, devices, sessions and what waits are there again after a restart', async () => {
  const data = await fs.mkdtemp(path.join(os.tmpdir(), 'double-restart-'));
  const first = await startAll('--data', data);
  let second;
  try {
    const { info, clients } = first;
    const [business, contact] = [newNumber(), newNumber()];
    await first.admin.phone(contact);
    const client = await clients.paired(first.admin, business);
    const before = await client.do('send', jidOf(contact), { text: 'before' });
    await first.admin.inbox(contact, 1);
    const answer = await first.admin.write(contact, business, { text: 'an answer' });
    await client.message(answer.id);
    await client.do('end');
    await first.admin.until(`/phones/${business}`, ({ companions }) => !companions[0].online);
    const waiting = await first.admin.write(contact, business, { text: 'meanwhile' });
    await first.stopDouble();

    second = await startDouble('--data', data, '--port', new URL(info.ws_url).port);
    const admin = new Admin(second.info.admin_url);
    assert.deepEqual([second.info.root_key, second.info.ca_file], [info.root_key, info.ca_file]);
    await client.do('connect');
    assert.equal(bodyOf((await client.message(waiting.id)).content), 'meanwhile');
    const after = await client.do('send', jidOf(contact), { text: 'after' });
    const entries = await admin.inbox(contact, 2);
    assert.deepEqual(entries.map(({ id, body }) => [id, body]), [[before, 'before'], [after, 'after']]);
    const last = await admin.write(contact, business, { text: 'the last', reply_to: before });
    assert.equal(bodyOf((await client.message(last.id)).content), 'the last');
    assert.equal((await admin.get('/stats')).counts.phone_undecryptable, undefined);
  } finally {
    first.clients.process.disconnect();
    await (second ?? { stop: first.stopDouble }).stop();
    await fs.rm(data, { recursive: true });
  }
});
