// Answers to a client's queries (<iq>): who is there, keys, settings, the media host.
import { proto } from 'baileys';
import { bytesOf, child, children, node, Refused, SERVER, textOf, uint, uintOf } from './nodes.mjs';
import { checkSignedPreKey } from './party.mjs';

const KEY_TYPE = Buffer.from([5]);
const PROPS = { 10518: 1, 9666: 0, 14303: 1 }; // tctoken on every message, not for pictures, issued to LIDs

/** «xmlns child» or «xmlns» → (context, first child of the query, query) → content of the result. */
const ANSWERS = {
  'w:p': () => undefined,
  'w:stats': () => undefined,
  'urn:xmpp:whatsapp:dirty': () => undefined,
  'passive active': ({ double, connection }) => void setImmediate(() => double.activate(connection)),
  'passive passive': () => undefined,
  usync: (context, query) => [usync(context, query)],
  'encrypt count': ({ device }) => [node('count', { value: device.preKeys.length })],
  'encrypt digest': ({ device }) => [node('digest', {}, [node('registration', {}, uint(device.registrationId, 4))])],
  'encrypt key': (context, query) => [node('list', {}, children(query, 'user').map((user) => bundleOf(context, user.attrs.jid)))],
  'encrypt rotate': ({ device }, query) => void takeSignedPreKey(device, child(query, 'skey')),
  encrypt: ({ device }, _, iq) => void takeKeys(device, iq),
  'abt props': () => [props()],
  'privacy tokens': ({ double, device }, query) => void giveTokens(double, device, query),
  'privacy privacy': () => [node('privacy', {}, [node('category', { name: 'readreceipts', value: 'all' })])],
  blocklist: () => [node('list')],
  'w:g2 participating': () => [node('groups')], // in none
  'w:m media_conn': ({ double }) => [double.media.connectionNode()],
  'w:sync:app:state sync': ({ double, device }, query) => [double.firstSync.answer(device, query)],
  'w:profile:picture': () => [node('picture')],
  'w:biz business_profile': () => [node('business_profile')],
  'md link_code_companion_reg': ({ double, connection }, query) => linkCode(double.pairing, connection, query),
  'md remove-companion-device': ({ double, device }) => void setImmediate(() => double.removeDevice(device)),
};

/** The answer to a query. Throws Refused with the code of the error that the client is told. */
export function answer(context, iq) {
  const [query] = children(iq);
  const { xmlns } = iq.attrs;
  const given = ANSWERS[`${xmlns} ${query?.tag}`] ?? ANSWERS[xmlns];
  if (!given) throw new Refused(501, `no answer to ${xmlns} ${query?.tag}`);
  if (!context.device && xmlns !== 'md' && xmlns !== 'w:p') throw new Refused(401, 'not logged in');
  return node('iq', { id: iq.attrs.id, from: SERVER, type: 'result' }, given(context, query, iq));
}

export function errorAnswer(iq, code, text) {
  return node('iq', { id: iq.attrs.id, from: SERVER, type: 'error' }, [node('error', { code, text })]);
}

function props() {
  const all = Object.entries(PROPS).map(([code, value]) => node('prop', { config_code: code, config_value: value }));
  return node('props', { hash: 'double' }, all);
}

function linkCode(pairing, connection, query) {
  return query.attrs.stage === 'companion_hello' ? pairing.hello(connection, query) : pairing.finish(connection, query);
}

function usync({ double: { world } }, query) {
  const asked = new Set(children(child(query, 'query')).map((protocol) => protocol.tag));
  const list = children(child(query, 'list'), 'user').map((user) => usyncUser(world, asked, user));
  return node('usync', query.attrs, [node('result'), node('list', {}, list)]);
}

function usyncUser(world, asked, user) {
  const phone = textOf(child(user, 'contact'))?.replace(/^\+/, '');
  const account = phone ? world.find(phone) : world.accountOf(user.attrs.jid);
  const found = [];
  if (asked.has('contact')) found.push(node('contact', { type: account ? 'in' : 'out' }));
  if (asked.has('devices')) found.push(node('devices', {}, [node('device-list', {}, deviceList(account))]));
  // Asked for a LID itself, there is none to tell.
  if (asked.has('lid') && account && !user.attrs.jid?.endsWith('@lid')) found.push(node('lid', { val: account.jid('lid') }));
  return node('user', { jid: user.attrs.jid ?? `${phone}${SERVER}` }, found);
}

function deviceList(account) {
  if (!account) return [];
  return [...account.devices.values()].map(({ id, keyIndex }) => node('device', { id, 'key-index': id ? keyIndex : undefined }));
}

function bundleOf({ double }, jid) {
  const device = double.world.deviceOf(jid);
  if (!device || (device.id && !device.signedPreKey)) return node('user', { jid }, [node('error', { code: 404, text: 'item-not-found' })]);
  const { registrationId, identity, signedPreKey, preKey } = double.router.bundleOf(device);
  return node('user', { jid }, [
    node('registration', {}, uint(registrationId, 4)),
    node('type', {}, KEY_TYPE),
    node('identity', {}, identity),
    keyNode('skey', signedPreKey),
    ...(preKey ? [keyNode('key', preKey)] : []),
  ]);
}

export function keyNode(tag, { id, public: bytes, signature }) {
  const parts = [node('id', {}, uint(id, 3)), node('value', {}, bytes)];
  return node(tag, {}, signature ? [...parts, node('signature', {}, signature)] : parts);
}

export function takeKey(element) {
  const bytes = bytesOf(child(element, 'value'));
  if (bytes?.length !== 32) throw new Refused(406, 'a key has not 32 bytes');
  return { id: uintOf(child(element, 'id'), 3), public: bytes };
}

function takeSignedPreKey(device, element) {
  const signedPreKey = { ...takeKey(element), signature: bytesOf(child(element, 'signature')) };
  checkSignedPreKey(device.identity, signedPreKey);
  device.signedPreKey = signedPreKey;
}

function takeKeys(device, iq) {
  if (!bytesOf(child(iq, 'identity'))?.equals(device.identity)) throw new Refused(406, 'another identity than was paired');
  takeSignedPreKey(device, child(iq, 'skey'));
  device.registrationId = uintOf(child(iq, 'registration'), 4);
  const known = new Set(device.preKeys.map(({ id }) => id));
  device.preKeys.push(...children(child(iq, 'list'), 'key').map(takeKey).filter(({ id }) => !known.has(id)));
}

function giveTokens(double, device, query) {
  for (const token of children(query, 'token')) {
    const holder = double.world.accountOf(token.attrs.jid);
    if (holder && token.attrs.type === 'trusted_contact') double.router.giveToken(device.account, holder);
  }
}

/** What a login says of the client; used by the admin's view. */
export function clientOf(payload) {
  const { appVersion: { primary, secondary, tertiary } = {}, platform = 0 } = payload.userAgent ?? {};
  return { version: [primary, secondary, tertiary].join('.'), platform: proto.ClientPayload.UserAgent.Platform[platform] };
}
