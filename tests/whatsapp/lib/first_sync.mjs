// What a phone sends to a new companion: the key of the app state, a history of no messages, and the account's name.
import crypto from 'node:crypto';
import zlib from 'node:zlib';
import { encodeSyncdPatch, newLTHashState, proto } from 'baileys';
import { children, node } from './nodes.mjs';

const { ProtocolMessage } = proto.Message;
const NAMED = 'critical_block'; // the collection that holds the name

export class FirstSync {
  constructor() {
    this.states = new Map(); // account → {id, data, patch}
  }

  async stateOf(account) {
    if (!this.states.has(account)) this.states.set(account, await this.makeState(account));
    return this.states.get(account);
  }

  async makeState(account) {
    const id = crypto.randomBytes(6);
    const data = { keyData: crypto.randomBytes(32), fingerprint: { rawId: 1, currentIndex: 0, deviceIndexes: [0] }, timestamp: Date.now() };
    const change = {
      type: NAMED,
      index: ['setting_pushName'],
      syncAction: { timestamp: Date.now(), pushNameSetting: { name: account.name } },
      apiVersion: 1,
      operation: proto.SyncdMutation.SyncdOperation.SET,
    };
    const { patch, state } = await encodeSyncdPatch(change, id.toString('base64'), newLTHashState(), async () => data);
    const bytes = proto.SyncdPatch.encode(proto.SyncdPatch.fromObject({ ...patch, version: { version: state.version } })).finish();
    return { id, data, patch: bytes };
  }

  /** To be called when a companion logs in for the first time. */
  async greet(device) {
    const { account } = device;
    const { id, data } = await this.stateOf(account);
    const keys = [{ keyId: { keyId: id }, keyData: data }];
    await account.phone.serial(async () => {
      await account.phone.writePeer(device, {
        protocolMessage: { type: ProtocolMessage.Type.APP_STATE_SYNC_KEY_SHARE, appStateSyncKeyShare: { keys } },
      });
      await account.phone.writePeer(device, {
        protocolMessage: { type: ProtocolMessage.Type.HISTORY_SYNC_NOTIFICATION, historySyncNotification: history(account) },
      });
    });
  }

  /** The answer to a companion that asks for the state of collections. */
  answer(device, query) {
    return node('sync', {}, children(query, 'collection').map((collection) => this.collection(device, collection)));
  }

  collection(device, { attrs }) {
    const patch = attrs.name === NAMED ? this.states.get(device.account)?.patch : undefined;
    const missed = patch && Number(attrs.version ?? 0) < 1;
    const patches = missed ? [node('patches', {}, [node('patch', {}, patch)])] : undefined;
    return node('collection', { name: attrs.name, version: patch && !missed ? 1 : 0 }, patches);
  }
}

function history(account) {
  const syncType = proto.HistorySync.HistorySyncType.INITIAL_BOOTSTRAP;
  const phoneNumberToLidMappings = [...account.peers].map((peer) => ({ pnJid: peer.jid(), lidJid: peer.jid('lid') }));
  const pushnames = [{ id: account.jid(), pushname: account.name }];
  const sync = proto.HistorySync.fromObject({ syncType, pushnames, phoneNumberToLidMappings, progress: 100 });
  const bytes = proto.HistorySync.encode(sync).finish();
  return { syncType, chunkOrder: 1, progress: 100, initialHistBootstrapInlinePayload: zlib.deflateSync(bytes) };
}
