// The README's five minutes, typed as they stand.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { ROOT, sharedStack } from './support/stack.mjs';
import { until } from './support/until.mjs';

const exec = promisify(execFile);
let stack;

before(async () => {
  stack = await sharedStack();
});
after(() => stack?.release());

async function readmeBlock(heading) {
  const text = await readFile(path.join(ROOT, 'README.md'), 'utf8');
  const section = text.slice(text.indexOf(`## ${heading}`));
  return section.match(/```sh\n([\s\S]*?)```/)[1];
}

test('the first message is sent, shown and answered', async () => {
  const script = (await readmeBlock('The first message')).replace('http://127.0.0.1:8000', stack.url);
  assert.match(script, new RegExp(stack.url));
  const { stdout } = await exec('bash', ['-c', `${script}\necho "KEY=$KEY CONTACT=$CONTACT"`]);
  const [accepted] = stdout.split('\n');
  assert.equal(JSON.parse(accepted).status, 'queued', stdout);
  const [, key, contact] = stdout.match(/KEY=(sk_live_\S+) CONTACT=(\d+)/);
  const conversation = await until('both messages in the conversation', async () => {
    const answer = await fetch(`${stack.url}/api/v1/conversations/${contact}/messages`, { headers: { 'X-API-Key': key } });
    const messages = await answer.json();
    return messages.length === 2 && messages[0].status === 'read' && messages;
  });
  assert.deepEqual(conversation.map((m) => m.direction), ['outgoing', 'incoming']);
  assert.equal(conversation[1].message_body, 'PAY123');
});
