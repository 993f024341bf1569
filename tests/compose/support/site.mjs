// A site where the system runs under docker compose, as its operator handles it. It is shaped like the Stack of the integration tests.
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import pg from '../../integration/node_modules/pg/lib/index.js';
import { until } from '../../integration/support/until.mjs';

const exec = promisify(execFile);
const BUFFER = { maxBuffer: 1 << 28 };

export class Site {
  /** `compose`: the program, docker-compose or a newer `docker compose`. */
  constructor(folder, compose = 'docker-compose') {
    this.folder = folder;
    this.program = compose;
    this.env = { ...process.env, COMPOSE: compose, COMPOSE_PROJECT_NAME: 'wa', COMPOSE_HTTP_TIMEOUT: '180' };
  }

  async attach() {
    this.url = `http://${(await this.settings()).API_LISTEN}`;
    this.WA_ADMIN_TOKEN = await readFile(path.join(this.folder, 'secrets/admin_token'), 'utf8');
  }

  async settings() {
    const text = await readFile(path.join(this.folder, '.env'), 'utf8');
    return Object.fromEntries(text.split('\n').filter((l) => /^[A-Z]/.test(l)).map((l) => [l.slice(0, l.indexOf('=')), l.slice(l.indexOf('=') + 1)]));
  }

  async run(command, ...args) {
    return (await exec(command, args, { cwd: this.folder, env: this.env, ...BUFFER })).stdout;
  }

  async compose(...args) {
    return this.run(this.program, ...args);
  }

  /** Lines for bash in which `docker compose` means this site's. */
  async shell(script) {
    const compose = 'docker() { if [ "$1" = compose ]; then shift; $COMPOSE "$@"; else command docker "$@"; fi; }';
    return this.run('bash', '-ec', `${compose}\n${script}`);
  }

  async docker(...args) {
    return this.run('docker', ...args);
  }

  async ids(service, all = false) {
    const filter = [`label=com.docker.compose.project=wa`, `label=com.docker.compose.oneoff=False`, ...(service ? [`label=com.docker.compose.service=${service}`] : [])];
    const out = await this.docker('ps', ...(all ? ['--all'] : []), '--quiet', '--no-trunc', ...filter.flatMap((f) => ['--filter', f]));
    return out.split('\n').filter(Boolean);
  }

  async inspect(...ids) {
    return JSON.parse(await this.docker('inspect', ...ids));
  }

  async log(id, lines) {
    const { stdout, stderr } = await exec('docker', ['logs', '--tail', String(lines), id], BUFFER);
    return stdout + stderr;
  }

  async ready(service, count) {
    return until(`${count} ${service} to be ready`, async () => {
      const ids = await this.ids(service);
      if (ids.length !== count) throw new Error(`${ids.length} there`);
      const states = (await this.inspect(...ids)).map((c) => c.State.Health.Status);
      if (states.some((s) => s !== 'healthy')) throw new Error(states.join());
      return ids;
    }, 60_000);
  }

  async metrics(id) {
    const request = 'exec 3<>/dev/tcp/127.0.0.1/9100; printf "GET /metrics HTTP/1.0\\r\\n\\r\\n" >&3; cat <&3';
    const text = await this.docker('exec', id, 'bash', '-c', request);
    return new Map(text.split('\n').filter((l) => /^[a-z]/.test(l)).map((l) => [l.slice(0, l.lastIndexOf(' ')), Number(l.slice(l.lastIndexOf(' ') + 1))]));
  }

  async address(service, network) {
    const [id] = await this.ids(service);
    const [{ NetworkSettings }] = await this.inspect(id);
    return NetworkSettings.Networks[`wa_${network}`];
  }

  /** Postgres is published nowhere; this machine reaches it by its container's address, as nobody else does. */
  async sql(text, params = []) {
    const { IPAddress } = await this.address('postgres', 'data');
    const url = new URL(await readFile(path.join(this.folder, 'secrets/wa_database_url'), 'utf8'));
    url.hostname = IPAddress;
    const client = new pg.Client({ connectionString: url.href });
    await client.connect();
    try {
      return (await client.query(text, params)).rows;
    } finally {
      await client.end();
    }
  }

  async healthy(timeoutMs = 60_000) {
    return until('health to be ok', async () => {
      const answer = await fetch(`${this.url}/api/v1/health`);
      const body = await answer.json();
      if (body.status !== 'ok') throw new Error(JSON.stringify(body));
      return body;
    }, timeoutMs);
  }
}
