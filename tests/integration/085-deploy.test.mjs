// What deploy/ and its guides say of the daemons, held against the daemons; without Docker.
import assert from 'node:assert/strict';
import { readFile, readdir } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { ROOT, sharedStack } from './support/stack.mjs';

const read = (file) => readFile(path.join(ROOT, file), 'utf8');
const NAME = /\b(?:wa|process)_\w+/g;
let exposed; // names of metrics
let stack;

before(async () => {
  stack = await sharedStack();
  exposed = new Set();
  for (const service of ['api', 'sender', 'gateway', 'webhooker']) {
    const port = (await readFile(path.join(stack.data, 'run', `${service}-1.port`), 'utf8')).trim();
    const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    for (const [name] of text.matchAll(/^[a-z]\w+/gm)) exposed.add(name);
  }
});
after(() => stack?.release());

async function alerts() {
  const text = await read('deploy/prometheus/rules.yml');
  return [...text.matchAll(/- alert: (\w+)\n\s+expr: (.*)\n[\s\S]*?runbook: (\S+)/g)].map(([, name, expr, runbook]) => ({ name, expr, runbook }));
}

async function panels() {
  const folder = 'deploy/grafana/dashboards';
  const boards = await Promise.all((await readdir(path.join(ROOT, folder))).map(async (f) => JSON.parse(await read(`${folder}/${f}`))));
  return boards.flatMap((b) => b.panels);
}

test('every metric that a rule or a dashboard asks for is exposed by a daemon', async () => {
  const rules = await alerts();
  assert.ok(rules.length >= 20);
  const queries = [...rules.map((r) => r.expr), ...(await panels()).flatMap((p) => p.targets.map((t) => t.expr))];
  const asked = queries.flatMap((q) => q.match(NAME) ?? []);
  assert.ok(asked.length >= 60);
  for (const name of asked) assert.ok(exposed.has(name), `${name} is exposed by nobody`);
});

test('every alert has an entry in the runbook, and every entry an alert', async () => {
  const operations = await read('docs/operations.md');
  const entries = [...operations.slice(operations.indexOf('\n## Runbook')).matchAll(/^### (\w+)$/gm)].map((m) => m[1]);
  const rules = await alerts();
  assert.deepEqual([...new Set(rules.map((r) => r.name))].sort(), [...entries].sort());
  for (const rule of rules) assert.equal(rule.runbook, `docs/operations.md#${rule.name.toLowerCase()}`);
});

test('the checklist answers every line of the guide\'s checklist and troubleshooting', async () => {
  const guide = await read('docs/integration-guide.md');
  const checklist = await read('docs/production-checklist.md');
  const lines = guide.slice(guide.indexOf('## Production Checklist'), guide.indexOf('## Next Steps')).split('\n')
    .filter((l) => /^- /.test(l)).map((l) => l.replace(/^- (\[ \] )?/, '').replace(/ https:.*/, ''));
  assert.ok(lines.length >= 20);
  for (const line of lines) assert.ok(checklist.includes(line), `not answered: ${line}`);
});

test('every setting that docker-compose.yml, deploy/init-env and the guides name exists', async () => {
  const catalog = await read('common/daemon/settings_catalog.h');
  for (const file of ['docker-compose.yml', 'deploy/init-env', 'deploy/Dockerfile', 'docs/operations.md', 'docs/production-checklist.md']) {
    for (const [name] of (await read(file)).matchAll(/\bWA_[A-Z_]*[A-Z]\b/g)) {
      assert.ok(catalog.includes(`"${name.replace(/_FILE$/, '')}"`), `${file} names ${name}, which is no setting`);
    }
  }
});

test('deploy/settings.md has every setting that a daemon reads, with its default and what it is for', async () => {
  const services = { a: 'api', s: 'sender', g: 'gateway', w: 'webhooker' };
  const catalog = [...(await read('common/daemon/settings_catalog.h')).matchAll(/^SETTING\(\w+, "(\w+)", (\w+), "([asgw-]+)", "([^"]*)".*, "(.*)"\)$/gm)];
  assert.ok(catalog.length >= 30);
  const wanted = catalog.filter((m) => m[3] !== '-').map(([, name, kind, who, dflt, help]) => {
    const [first, ...others] = kind === 'ENUM' ? dflt.split('|') : [dflt];
    const value = kind === 'SECRET' ? 'a secret' : [first && `\`${first}\``, ...others.map((o) => `or \`${o}\``)].filter(Boolean).join(' ');
    return `| \`${name}\` | ${who === 'asgw' ? 'all' : [...who].map((letter) => services[letter]).join(', ')} | ${value} | ${help} |`;
  });
  const rows = (await read('deploy/settings.md')).split('\n').filter((l) => l.startsWith('| `WA_'));
  for (const row of wanted) assert.ok(rows.includes(row), `deploy/settings.md lacks this line:\n${row}`);
  assert.equal(rows.length, wanted.length, 'it has settings that no daemon reads');
});
