// Reads along on a Postgres connection, as far as is needed to know when something that writes has been committed.
// Protocol 3.0: https://www.postgresql.org/docs/15/protocol-message-formats.html
const SSL_REQUEST = 80877103;
const GSS_REQUEST = 80877104;
const WRITES = /\b(insert\s+into|update|delete\s+from|commit)\b/i;

export class CommitWatch {
  constructor() {
    this.fromClient = Buffer.alloc(0);
    this.fromServer = Buffer.alloc(0);
    this.isStarted = false;
    this.refusals = 0; // answers of one byte, to requests for encryption
    this.statements = new Map(); // name → whether it writes
    this.cycles = []; // for each Sync or simple query that is not answered yet: whether it writes
    this.writes = false; // in the cycle that is being sent
  }

  takeUp(chunk) {
    this.fromClient = Buffer.concat([this.fromClient, chunk]);
    for (;;) {
      const header = this.isStarted ? 1 : 0;
      if (this.fromClient.length < header + 4) return;
      const size = header + this.fromClient.readUInt32BE(header);
      if (this.fromClient.length < size) return;
      const message = this.fromClient.subarray(0, size);
      this.fromClient = this.fromClient.subarray(size);
      if (this.isStarted) this.onClient(String.fromCharCode(message[0]), message.subarray(5));
      else this.onStartup(message);
    }
  }

  onStartup(message) {
    const code = message.readUInt32BE(4);
    if (code === SSL_REQUEST || code === GSS_REQUEST) {
      this.refusals++;
      return;
    }
    this.isStarted = true;
    this.cycles.push(false); // the first ReadyForQuery
  }

  onClient(type, body) {
    if (type === 'P') this.statements.set(text(body, 0), WRITES.test(text(body, text(body, 0).length + 1)));
    else if (type === 'B') this.writes ||= this.statements.get(text(body, text(body, 0).length + 1)) ?? false;
    else if (type === 'Q') this.cycles.push(WRITES.test(text(body, 0)));
    else if (type === 'S') {
      this.cycles.push(this.writes);
      this.writes = false;
    }
  }

  /** Whether the chunk holds the end of something that was written and committed. */
  takeDown(chunk) {
    let isCommit = false;
    this.fromServer = Buffer.concat([this.fromServer, chunk]);
    while (this.refusals > 0 && this.fromServer.length > 0) {
      this.refusals--;
      this.fromServer = this.fromServer.subarray(1);
    }
    for (;;) {
      if (this.fromServer.length < 5) return isCommit;
      const size = 1 + this.fromServer.readUInt32BE(1);
      if (this.fromServer.length < size) return isCommit;
      if (this.onServer(String.fromCharCode(this.fromServer[0]), this.fromServer.subarray(5, size))) isCommit = true;
      this.fromServer = this.fromServer.subarray(size);
    }
  }

  onServer(type, body) {
    if (type === 'E') this.hasFailed = true;
    if (type !== 'Z') return false;
    const writes = this.cycles.shift() ?? false;
    const hasFailed = this.hasFailed;
    this.hasFailed = false;
    return writes && !hasFailed && body[0] === 0x49; // 'I': no transaction is open any more
  }
}

function text(body, from) {
  return body.toString('utf8', from, body.indexOf(0, from));
}
