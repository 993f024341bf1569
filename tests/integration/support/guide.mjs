// The integration guide as customers read it: its code blocks become files, its curl lines are run.
import { mkdir, mkdtemp, readFile, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { ROOT } from './stack.mjs';

const GUIDE = path.join(ROOT, 'docs/integration-guide.md');

export async function guideBlocks(language) {
  const text = await readFile(GUIDE, 'utf8');
  return [...text.matchAll(new RegExp('```' + language + '\\n([\\s\\S]*?)```', 'g'))].map((m) => m[1]);
}

/** Write the guide's finance-app, file by file and to the letter, into a new folder. */
export async function writeFinanceApp() {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'wa-finance-'));
  await writeFile(path.join(folder, 'package.json'), '{"type": "module"}');
  await symlink(path.join(ROOT, 'tests/integration/node_modules'), path.join(folder, 'node_modules'));
  for (const block of await guideBlocks('javascript')) {
    const name = block.match(/^\/\/ (finance-app\/\S+)\n/)?.[1];
    if (!name || !name.endsWith('.js')) continue;
    const file = path.join(folder, name);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, block);
  }
  return path.join(folder, 'finance-app');
}

/** The curl command of the guide that names `part`, with the host and other placeholders put in. */
export async function guideCurl(part, replacements) {
  for (const block of await guideBlocks('bash')) {
    for (const command of block.split(/\n(?=curl|#)/)) {
      if (command.startsWith('curl') && command.includes(part)) {
        return Object.entries(replacements).reduce((text, [from, to]) => text.replaceAll(from, to), command.split('\n\n')[0]);
      }
    }
  }
  throw new Error(`the guide has no curl line with ${part}`);
}
