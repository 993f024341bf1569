// The test CA, the server's certificate and the root key of the Noise chain: made at the first start, kept in a folder.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { makeKeys } from './curve.mjs';

const DAYS = '3650';
const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

function openssl(...words) {
  execFileSync('openssl', words, { stdio: ['ignore', 'ignore', 'pipe'] });
}

function makeCa(key, certificate) {
  openssl('req', '-x509', ...NEW_KEY, '-keyout', key, '-out', certificate, '-days', DAYS, '-subj', '/CN=WhatsApp double test CA',
    '-addext', 'keyUsage=critical,keyCertSign,cRLSign');
}

function makeServerCertificate(folder, ca, names) {
  const file = (ending) => path.join(folder, `server.${ending}`);
  const [key, request, extensions, certificate] = [file('key'), file('csr'), file('ext'), file('pem')];
  const list = names.map((name) => `${net.isIP(name) ? 'IP' : 'DNS'}:${name}`).join(',');
  fs.writeFileSync(extensions, `subjectAltName=${list}\nextendedKeyUsage=serverAuth\n`);
  openssl('req', '-new', ...NEW_KEY, '-keyout', key, '-out', request, '-subj', `/CN=${names[0]}`);
  openssl('x509', '-req', '-in', request, '-out', certificate, '-days', DAYS, '-extfile', extensions,
    '-CA', ca.certificate, '-CAkey', ca.key, '-CAcreateserial');
  return { key: fs.readFileSync(key), cert: fs.readFileSync(certificate) };
}

/** names: the host names and addresses that clients call it by. Gives {tls, caFile}. */
export function prepareTls(folder, names) {
  const ca = { key: path.join(folder, 'ca.key'), certificate: path.join(folder, 'ca.pem') };
  if (!fs.existsSync(ca.certificate)) makeCa(ca.key, ca.certificate);
  return { tls: makeServerCertificate(folder, ca, names), caFile: ca.certificate };
}

export function prepareRoot(folder) {
  const file = path.join(folder, 'root.json');
  if (!fs.existsSync(file)) {
    const keys = makeKeys();
    fs.writeFileSync(file, JSON.stringify({ private: keys.private.toString('hex'), public: keys.public.toString('hex') }), { mode: 0o600 });
  }
  const kept = JSON.parse(fs.readFileSync(file, 'utf8'));
  return { private: Buffer.from(kept.private, 'hex'), public: Buffer.from(kept.public, 'hex') };
}
