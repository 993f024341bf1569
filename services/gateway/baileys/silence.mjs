// Imported before everything else. libsignal prints whole sessions, private keys included, through console; Baileys
// and others may print as they like. Whatever this process has to say goes to the gateway as frames, so nothing that
// is written to console, stdout or stderr is let through.
const methods = ['log', 'info', 'warn', 'error', 'debug', 'trace', 'dir', 'table', 'assert', 'group', 'groupEnd'];

for (const method of methods) console[method] = () => {};

// A file system or fetch warning is written to stderr by Node itself.
process.removeAllListeners('warning');
process.on('warning', () => {});

const swallow = (_chunk, encoding, callback) => {
  const done = typeof encoding === 'function' ? encoding : callback;
  if (done) process.nextTick(done);
  return true;
};
process.stdout.write = swallow;
process.stderr.write = swallow;
