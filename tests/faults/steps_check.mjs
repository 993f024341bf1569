// Are the marked steps in the daemons those that steps.mjs names, and is nothing of them in a production build?
import { access, readFile, readdir } from 'node:fs/promises';
import path from 'node:path';
import { STEPS } from './steps.mjs';

const PREFIX = 'marked_step.';

function namesIn(binary) {
  return new Set([...binary.toString('latin1').matchAll(/marked_step\.([a-z_]+)\0/g)].map((m) => m[1]));
}

async function namesInSource(folder) {
  const names = [];
  for (const file of await readdir(folder)) {
    if (!file.endsWith('.c')) continue;
    const text = await readFile(path.join(folder, file), 'utf8');
    names.push(...[...text.matchAll(/MARKED_STEP(?:_NUMBER)?\("([a-z_]+)"/g)].map((m) => m[1]));
  }
  return names;
}

/** A list of complaints. `production` and `marked` are build folders; a production build that is not there is not looked at. */
export async function checkSteps(root, production, marked) {
  const wrong = [];
  for (const [service, names] of Object.entries(STEPS)) {
    const source = await namesInSource(path.join(root, 'services', service));
    const known = new Set(names);
    for (const name of source) if (!known.has(name)) wrong.push(`steps.mjs does not name ${name} of ${service}`);
    for (const name of names) if (source.filter((n) => n === name).length !== 1) wrong.push(`${service} has not one step ${name}`);
    const daemon = path.join('services', service, service);
    const there = namesIn(await readFile(path.join(marked, daemon)));
    for (const name of names) if (!there.has(name)) wrong.push(`${name} is not in the marked ${service}`);
    const plain = path.join(production, daemon);
    if (await access(plain).then(() => true, () => false)) {
      if ((await readFile(plain)).includes(PREFIX)) wrong.push(`${plain} of a production build holds marked steps`);
    }
  }
  return wrong;
}
