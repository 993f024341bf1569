// libsignal tries a message with one session after the other, and a session with which it fails has stepped its ratchet by
// then; it is stored like that, and what is encrypted with it later nobody can read. (Sessions that cross, each side sending
// on its own, bring it out.) Imports nothing: whoever uses libsignal, whichever copy of it, mends its SessionCipher with this.
export function leaveWhatDoesNotDecrypt(SessionCipher) {
  const { doDecryptWhisperMessage } = SessionCipher.prototype;
  SessionCipher.prototype.doDecryptWhisperMessage = async function decryptOrLeave(message, session) {
    const before = session?.serialize();
    try {
      return await doDecryptWhisperMessage.call(this, message, session);
    } catch (error) {
      if (before) {
        delete session.pendingPreKey;
        Object.assign(session, session.constructor.deserialize(before));
      }
      throw error;
    }
  };
}
