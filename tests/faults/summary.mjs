// What a trial and what all of them came to, in figures.

const DAEMON = /^(api|sender|gateway|webhooker)-/;

export class Summary {
  constructor() {
    Object.assign(this, { trials: 0, calls: 0, accepted: 0, shown: 0, incoming: 0, posts: 0, events: 0, commitsLost: 0, pauses: 0 });
    this.kills = { api: 0, sender: 0, gateway: 0, webhooker: 0, postgres: 0, redis: 0 };
    this.faults = {};
    this.violations = {};
    this.settled = [];
    this.takeOver = {};
    this.memory = {};
    this.begin = Date.now();
  }

  get daemonKills() {
    return this.kills.api + this.kills.sender + this.kills.gateway + this.kills.webhooker;
  }

  add(history, found) {
    const of = (kind) => history.entries.filter((x) => x.e === kind);
    this.trials++;
    this.calls += of('req').length;
    this.accepted += new Set(of('req').filter((r) => r.status === 202 && r.data.message_id).map((r) => r.data.message_id)).size;
    this.shown += of('shown').length;
    this.incoming += of('message').filter((m) => m.message.direction === 'incoming').length;
    this.posts += of('hook').length;
    this.events += new Set(of('hook').filter((h) => h.answer === 200).map((h) => h.id)).size;
    for (const { name, signal } of of('end')) if (signal === 9) this.kills[name.split('-')[0]]++;
    for (const fault of of('fault')) this.addFault(fault);
    for (const { check } of found) this.violations[check] = (this.violations[check] ?? 0) + 1;
    for (const { after_ms } of of('settled')) this.settled.push(after_ms);
    for (const { rows = [] } of of('leases')) for (const { kind, stale_ms } of rows) this.takeOver[kind] = Math.max(this.takeOver[kind] ?? 0, stale_ms);
    for (const { name, rss_kb } of of('rss')) this.addMemory(name.split('-')[0], rss_kb);
  }

  addFault(fault) {
    this.faults[fault.kind] = (this.faults[fault.kind] ?? 0) + 1;
    this.commitsLost += fault.lost ?? 0;
    if (fault.kind === 'pause') this.pauses++;
  }

  addMemory(kind, rss_kb) {
    this.memory[kind] = Math.max(this.memory[kind] ?? 0, rss_kb);
  }

  print() {
    const settled = [...this.settled].sort((a, b) => a - b);
    const list = (object, unit = '') => Object.entries(object).map(([k, v]) => `${k} ${v}${unit}`).join(', ');
    console.log([
      `=== ${this.trials} trials in ${Math.round((Date.now() - this.begin) / 60_000)} min`,
      `kills of daemons   ${this.daemonKills} (${list(Object.fromEntries(Object.entries(this.kills).filter(([k]) => DAEMON.test(`${k}-`))))}); of postgres ${this.kills.postgres}, of redis ${this.kills.redis}`,
      `faults             ${list(this.faults)}`,
      `commits not told   ${this.commitsLost}`,
      `calls              ${this.calls}; messages accepted ${this.accepted}, shown ${this.shown}, incoming ${this.incoming}`,
      `webhook posts      ${this.posts}; events taken ${this.events}`,
      `settled            median ${settled[settled.length >> 1]} ms, worst ${settled.at(-1)} ms after the last fault`,
      `longest without an owner   ${list(this.takeOver, ' ms')}`,
      `most memory        ${list(Object.fromEntries(Object.entries(this.memory).map(([k, v]) => [k, (v / 1024).toFixed(1)])), ' MB')}`,
      `violations         ${Object.keys(this.violations).length === 0 ? 'none' : list(this.violations)}`,
    ].join('\n'));
  }
}

/** One trial, in a few lines. */
export function report({ label, history, found, file }) {
  const of = (kind) => history.entries.filter((x) => x.e === kind);
  const summary = new Summary();
  summary.add(history, found);
  const settled = of('settled')[0];
  console.log(`${label}: ${summary.accepted} accepted of ${summary.calls} calls, ${summary.posts} webhook posts, ${summary.daemonKills} daemons killed; ` +
    `faults ${JSON.stringify(summary.faults)}; settled after ${settled?.after_ms} ms ${JSON.stringify(settled?.times)}`);
  for (const { check: name, what } of found.slice(0, 20)) console.log(`  VIOLATION ${name}: ${what}`);
  if (found.length > 20) console.log(`  and ${found.length - 20} more`);
  if (found.length > 0) console.log(`  history: ${file}`);
}
