// The logger that Baileys gets: its lines hold bodies, numbers and keys.
export const nullLogger = {
  level: 'silent',
  child: () => nullLogger,
  trace: () => {},
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  fatal: () => {},
};
