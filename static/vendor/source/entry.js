import { BlindRSA, PrepareType } from "@cloudflare/blindrsa-ts/lib/src/blindrsa.js";
import { feed } from "./chance.js";

const suite = new BlindRSA({ hash: "SHA-384", saltLength: 48, prepareType: PrepareType.Deterministic });

// One after the other: all share the one stream.
let last = Promise.resolve();

globalThis.BlindRsa = Object.freeze({
  // RSABSSA-SHA384-PSS-Deterministic: {blindedMsg, inv}. `stream` holds the salt, then candidates for the factor.
  blind(publicKey, message, stream) {
    const next = last.then(async () => {
      feed(stream);
      try {
        return await suite.blind(publicKey, message);
      } finally {
        feed(new Uint8Array());
      }
    });
    last = next.catch(() => {});
    return next;
  },
  // The token; throws where the answer doesn't verify.
  finalize: (publicKey, message, answer, inv) => suite.finalize(publicKey, message, answer, inv),
});
