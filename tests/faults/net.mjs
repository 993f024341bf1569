// The proxies of one stack: one for each daemon's way to Postgres and to Redis, one for each endpoint.
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { FaultProxy } from './proxy.mjs';
import { Random } from './random.mjs';

const SERVERS = { postgres: 'postgres-1', redis: 'redis-1' };

export class Net {
  /** For a stack in that folder, with instances of these names. */
  constructor(data, instances, seed) {
    Object.assign(this, { data, instances });
    this.random = Random.named(seed, 'net');
    this.proxies = [];
  }

  async start(endpoint) {
    for (const who of this.instances) {
      for (const server of Object.keys(SERVERS)) await this.make(who, server, () => this.portOf(SERVERS[server]));
    }
    for (const index of endpoint.ports.keys()) await this.make(`endpoint-${index}`, 'endpoint', () => endpoint.ports[index]);
    endpoint.publicPorts = this.select('endpoint').map((proxy) => proxy.port);
  }

  async make(who, server, target) {
    const proxy = new FaultProxy(target, { random: () => this.random.next(), isPostgres: server === 'postgres' });
    Object.assign(proxy, { who, serves: server });
    await proxy.start();
    this.proxies.push(proxy);
  }

  /** The port as it is now: a stack chooses it when it is started. */
  async portOf(name) {
    return Number(await readFile(path.join(this.data, 'run', `${name}.port`), 'utf8'));
  }

  /** Tells ./run up --wiring where the daemons find Postgres and Redis. `more` are further lines. Gives the file. */
  async writeWiring(more = []) {
    const lines = this.proxies.filter((p) => p.serves in SERVERS).map((p) => `${p.who} ${p.serves} 127.0.0.1:${p.port}`);
    const file = path.join(this.data, 'wiring');
    await writeFile(file, [...lines, ...more, ''].join('\n'));
    return file;
  }

  /** `who`: an instance, a kind of daemon, or 'all'. */
  select(server, who = 'all') {
    return this.proxies.filter((p) => p.serves === server && (who === 'all' || p.who === who || p.who.startsWith(`${who}-`)));
  }

  async stop() {
    await Promise.all(this.proxies.map((proxy) => proxy.stop()));
  }
}
