// The WhatsApp server double of tests/whatsapp, in a process of its own, where containers reach it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import readline from 'node:readline';

/** folder keeps its certificates; address is one of this machine's. Gives {info, stop()}; info is what GET /info says. */
export async function startDouble(folder, address) {
  await mkdir(folder, { recursive: true });
  const process_ = spawn(process.execPath, ['tests/whatsapp/server.mjs', '--data', folder, '--listen', address, '--name', address], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(process_, 'exit');
  const [line] = await Promise.race([
    once(readline.createInterface({ input: process_.stdout }), 'line'),
    ended.then(([code]) => { throw new Error(`the double ended with ${code}`); }),
  ]);
  const stop = async () => {
    process_.kill('SIGTERM');
    await ended;
  };
  return { info: JSON.parse(line), stop };
}
