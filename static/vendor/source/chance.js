// What the library knows as `crypto`: WebCrypto's `subtle`, and in place of chance the bytes that its caller
// feeds, so that a wallet which was lost can ask for the very same credentials again.
let stream = new Uint8Array();

export function feed(bytes) {
  stream = bytes;
}

export const crypto = {
  subtle: globalThis.crypto?.subtle,
  getRandomValues(out) {
    if (stream.length < out.length) throw new Error("the stream is too short");
    out.set(stream.subarray(0, out.length));
    stream = stream.subarray(out.length);
    return out;
  },
};
