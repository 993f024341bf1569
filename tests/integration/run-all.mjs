// Runs the integration tests: one stack is shared by all files that need nothing special, the others start their own.
// usage: node run-all.mjs [file-pattern …]
import { spawn } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { isAlive, SHARED_SETTINGS, startStack } from './support/stack.mjs';
import { SLOW } from './support/until.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const wanted = process.argv.slice(2);
const files = (await readdir(here))
  .filter((f) => f.endsWith('.test.mjs'))
  .filter((f) => wanted.length === 0 || wanted.some((w) => f.includes(w)))
  .sort();
if (files.length === 0) {
  console.error(`no test file matches ${wanted.join(' ')}`);
  process.exit(2);
}

const stack = await startStack({ env: SHARED_SETTINGS });
let child;
const stopChild = () => child?.kill('SIGTERM');
process.on('SIGINT', stopChild);
process.on('SIGTERM', stopChild);
// ./run killed without warning cannot end us; its stacks watch it in the same way.
const owner = Number(process.env.WA_TEST_OWNER ?? 0);
setInterval(() => {
  if (owner && !isAlive(owner)) stopChild();
}, 1000).unref();
try {
  process.exitCode = await new Promise((resolve) => {
    child = spawn(process.execPath, ['--test', `--test-concurrency=${SLOW > 1 ? 1 : 2}`, ...files], {
      cwd: here,
      stdio: 'inherit',
      env: { ...process.env, WA_TEST_DATA: stack.data },
    });
    child.on('exit', (code) => resolve(code ?? 1));
  });
} finally {
  await stack.stop();
}
