// Holds back what leaves a socket while changed credentials are not committed yet: the answer that makes the phone take
// this device in must not leave before we can come back as that device. Frames keep their order (each is encrypted
// under the next counter).

// raw: the socket that Baileys writes to. store: a KeyStore.
export function gateOutgoing(raw, store) {
  const send = raw.send.bind(raw);
  let last = Promise.resolve();
  let held = 0;
  raw.send = (data, done) => {
    if (held === 0 && store.credsAreSettled) {
      send(data, done);
      return;
    }
    held++;
    last = Promise.all([last, store.credsSettled()])
      .then(() => send(data, done))
      .catch((error) => done?.(error))
      .finally(() => held--);
  };
}
