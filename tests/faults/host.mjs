// What scenarios need of the machine: small disks, slow disks, other clocks, more processes.
import { execFile, spawn } from 'node:child_process';
import { openSync, closeSync } from 'node:fs';
import { chown, mkdir, open, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { until } from '../integration/support/until.mjs';

const exec = promisify(execFile);
const HERE = path.dirname(fileURLToPath(import.meta.url));

/** Puts a disk of so many MB where the folder is. It goes with our mount namespace at the latest (see ./run). */
export async function mountSmallDisk(folder, size_mb, user = null) {
  await mkdir(folder, { recursive: true });
  await exec('mount', ['-t', 'tmpfs', '-o', `size=${size_mb}m,mode=${user ? '700' : '755'}`, 'small', folder]);
  if (!user) return;
  const { stdout } = await exec('id', ['-u', user]);
  const { stdout: group } = await exec('id', ['-g', user]);
  await chown(folder, Number(stdout), Number(group));
}

export async function unmount(folder) {
  await exec('umount', ['--lazy', folder]).catch(() => {});
}

/** Takes all room of the disk that is there until the promise ends. Gives how many bytes that was. */
export async function fillDisk(folder, promise) {
  const name = path.join(folder, 'filler');
  const file = await open(name, 'w');
  let bytes = 0;
  for (let size = 1 << 20; size >= 1; size = Math.floor(size / 4)) bytes += await writeAll(file, Buffer.alloc(size));
  await promise;
  await file.close();
  await rm(name);
  return bytes;
}

async function writeAll(file, block) {
  let bytes = 0;
  for (;;) {
    try {
      bytes += (await file.write(block)).bytesWritten;
    } catch (error) {
      if (error.code === 'ENOSPC') return bytes;
      throw error;
    }
  }
}

/** Builds what LD_PRELOAD puts into a process, of the file of that name here, into the folder. */
export async function buildShim(folder, name) {
  const library = path.join(folder, `${name}.so`);
  await exec('gcc', ['-shared', '-fPIC', '-O1', '-Wall', '-Wextra', '-Werror', '-o', library, path.join(HERE, `${name}.c`), '-ldl', '-lpthread']);
  return library;
}

/** Of a server's disk: {library, file, setMs(ms)}. */
export async function buildSlowFsync(folder) {
  const library = await buildShim(folder, 'slow_fsync');
  const file = path.join(folder, 'slow_fsync_ms');
  return { library, file, setMs: (ms) => writeFile(file, String(ms)) };
}

/** libfaketime, of the Debian package of that name. */
export async function findFaketime() {
  for (const machine of await readdir('/usr/lib')) {
    const file = `/usr/lib/${machine}/faketime/libfaketimeMT.so.1`;
    if (await readFile(file).catch(() => null)) return file;
  }
  throw new Error('libfaketime is not installed: ./run test faults installs it, or apt-get install libfaketime');
}

/** Lines for --wiring: that process lives so many seconds later (or earlier, below zero). Its waits are as long as ever. */
export function clockLines(library, name, seconds) {
  return [`LD_PRELOAD=${library}`, `FAKETIME=${seconds >= 0 ? '+' : ''}${seconds}`, 'FAKETIME_DONT_FAKE_MONOTONIC=1', 'DONT_FAKE_MONOTONIC=1', 'FAKETIME_NO_CACHE=1', 'NO_FAKE_STAT=1']
    .map((line) => `${name} env ${line}`);
}

/** A clock that can be put: {put(seconds), lines}. By the lines for --wiring these processes live so many seconds from the real time. */
export async function movableClock(names, folder) {
  const library = await buildShim(folder, 'moved_clock');
  const name = path.join(folder, 'clock');
  const file = await open(name, 'w', 0o644);
  const put = async (seconds) => {
    const bytes = Buffer.alloc(8);
    (os.endianness() === 'LE' ? bytes.writeBigInt64LE : bytes.writeBigInt64BE).call(bytes, BigInt(seconds));
    await file.write(bytes, 0, 8, 0); // in place: who lives by it has it mapped
  };
  await put(0);
  return { put, close: () => file.close(), lines: names.flatMap((who) => [`${who} env LD_PRELOAD=${library}`, `${who} env MOVED_CLOCK_FILE=${name}`]) };
}

/** All processes of the stack's Postgres, the postmaster first. */
export async function postgresPids(stack) {
  const postmaster = await stack.pid('postgres-1');
  const { stdout } = await exec('ps', ['-o', 'pid=', '--ppid', String(postmaster)]);
  return [postmaster, ...stdout.split('\n').map(Number).filter(Boolean)];
}

/** One more process of a kind, as the supervisor would start it, but not watched by it. */
export class ExtraProcess {
  constructor(stack, name, like) {
    Object.assign(this, { stack, name, like });
    this.pidFile = path.join(stack.data, 'run', `${name}.pid`);
  }

  async start(privatePort) {
    const { argv, env } = await readSpec(path.join(this.stack.data, 'run/supervisor.spec'), this.like);
    const log = openSync(path.join(this.stack.data, 'log', `${this.name}.log`), 'a');
    const settings = Object.fromEntries(Object.entries({ ...process.env, ...this.stack.env }).filter(([name]) => !/^WA_(TEST_|BUILD_DIR|API_URL|ADMIN_TOKEN)/.test(name)));
    this.child = spawn(argv[0], argv.slice(1), { env: { ...settings, ...env, WA_INSTANCE: this.name, WA_PRIVATE_PORT: String(privatePort) }, stdio: ['ignore', log, log] });
    closeSync(log);
    this.ended = new Promise((resolve) => this.child.on('exit', (code, signal) => resolve({ code, signal })));
    this.ended.then(() => { this.isOver = true; });
    await writeFile(this.pidFile, `${this.child.pid}\n`);
  }

  get pid() {
    return this.child.pid;
  }

  /** Asked to end, and ended: what it said of it. */
  async end(signal = 'SIGTERM') {
    if (!this.isOver) this.child.kill(signal);
    await until(`${this.name} to end`, () => this.isOver, 20_000);
    await rm(this.pidFile, { force: true });
    return this.ended;
  }
}

async function readSpec(file, name) {
  const argv = [];
  const env = {};
  let isIt = false;
  for (const line of (await readFile(file, 'utf8')).split('\n')) {
    const [, key, value] = line.match(/^(\S+) (.*)$/) ?? [];
    if (key === 'process') isIt = value === name;
    else if (isIt && key === 'arg') argv.push(value);
    else if (isIt && key === 'env') env[value.split('=')[0]] = value.slice(value.indexOf('=') + 1);
  }
  if (argv.length === 0) throw new Error(`${file} knows no ${name}`);
  return { argv, env };
}
