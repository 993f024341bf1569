// One Redis command on a connection of its own: all that these tests need.
import net from 'node:net';

export async function redisCommand(url, command) {
  const { hostname, port, password } = new URL(url);
  const socket = net.connect(Number(port), hostname);
  const commands = password ? [['AUTH', decodeURIComponent(password)], command] : [command];
  socket.write(commands.map(encode).join(''));
  let buffer = '';
  try {
    for await (const chunk of socket) {
      buffer += chunk.toString('latin1');
      const replies = decodeAll(buffer);
      if (replies.length === commands.length) return unwrap(replies.at(-1));
    }
    throw new Error('Redis closed the connection');
  } finally {
    socket.destroy();
  }
}

function encode(parts) {
  return `*${parts.length}\r\n` + parts.map((p) => `$${Buffer.byteLength(String(p))}\r\n${p}\r\n`).join('');
}

function unwrap(reply) {
  if (reply instanceof Error) throw reply;
  return reply;
}

function decodeAll(text) {
  const replies = [];
  let at = 0;
  for (;;) {
    const next = decode(text, at);
    if (!next) return replies;
    replies.push(next.value);
    at = next.end;
  }
}

function decode(text, at) {
  const eol = text.indexOf('\r\n', at);
  if (eol < 0) return null;
  const head = text.slice(at + 1, eol);
  const end = eol + 2;
  switch (text[at]) {
    case '+':
      return { value: head, end };
    case '-':
      return { value: new Error(head), end };
    case ':':
      return { value: Number(head), end };
    case '$': {
      const length = Number(head);
      if (length < 0) return { value: null, end };
      if (text.length < end + length + 2) return null;
      return { value: text.slice(end, end + length), end: end + length + 2 };
    }
    case '*': {
      const value = [];
      let from = end;
      for (let i = 0; i < Number(head); i++) {
        const item = decode(text, from);
        if (!item) return null;
        value.push(item.value);
        from = item.end;
      }
      return { value, end: from };
    }
    default:
      throw new Error(`not RESP: ${text.slice(at, at + 20)}`);
  }
}
