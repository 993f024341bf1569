// npm libsignal prints whole sessions, private keys included, through console. Import this before anything that loads it.
for (const level of ['log', 'info', 'warn', 'error', 'debug', 'trace']) console[level] = () => {};
