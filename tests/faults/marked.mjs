// Builds the daemons with their marked steps, in a folder of their own.
import { execFile } from 'node:child_process';
import { access, mkdir } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

const exec = promisify(execFile);
const DAEMONS = ['api', 'sender', 'gateway', 'webhooker'].map((name) => `services/${name}/${name}`);

const SANITIZERS = '-Db_sanitize=address,undefined -Db_lundef=false'; // as tools/build.sh has it

/** Builds the tree at `root` into `folder`: what a stack runs of it. */
export async function buildMarked(root, folder = path.join(root, 'build-marked'), options = '') {
  await mkdir(folder, { recursive: true });
  // Two builds of one folder never run at once.
  const commands = [`test -e build.ninja || meson setup . '${root}' -Dmarked_steps=true ${options} >setup.log 2>&1 || { cat setup.log; exit 1; }`,
    `ninja ${[...DAEMONS, 'tools/supervise'].join(' ')}`];
  try {
    await exec('flock', ['lock', 'sh', '-ec', commands.join('\n')], { cwd: folder, maxBuffer: 1 << 26 });
  } catch (error) {
    throw new Error(`the build in ${folder} failed:\n${error.stdout?.slice(-4000)}\n${error.stderr}`);
  }
  await access(path.join(folder, DAEMONS[0]));
  process.env.WA_TEST_DIR ??= folder; // ./run up takes what is built then
  return folder;
}

/** The same with the sanitizers, when that is what ./run has built. */
export function buildMarkedAlike(root) {
  const isSanitized = process.env.WA_BUILD_DIR?.endsWith('-asan') ?? false;
  return isSanitized ? buildMarked(root, path.join(root, 'build-marked-asan'), SANITIZERS) : buildMarked(root);
}
