/* What a wallet derives, signs and checks; no storage, no network. The same as src/credentials/{seed,holder}.rs and
   src/ledger/proof/{token,petition}.rs, and held to them by tests/browser/wallet_keys.rs. */
"use strict";
globalThis.WalletKeys = (() => {
  const subtle = globalThis.crypto?.subtle;

  /** What a person is told as it is: the message says what happened and what to do. */
  class Refused extends Error {}
  const must = (ok, words) => { if (!ok) throw new Refused(words); };

  // Bytes and their encodings ------------------------------------------------------------------------------------
  const encode = (text) => new TextEncoder().encode(text);
  const join = (...parts) => {
    const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    parts.reduce((at, part) => (out.set(part, at), at + part.length), 0);
    return out;
  };
  const same = (a, b) => a.length === b.length && a.every((byte, i) => byte === b[i]);
  const toBase64 = (bytes) => btoa(String.fromCharCode(...bytes));
  const toBase64Url = (bytes) => toBase64(bytes).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  /** Reads only the one right form. */
  const fromBase64 = (text, write = toBase64) => {
    let raw = "";
    try { raw = atob(text.replaceAll("-", "+").replaceAll("_", "/")); } catch { /* refused below */ }
    const bytes = Uint8Array.from(raw, (c) => c.charCodeAt(0));
    must(write(bytes) === text, "An answer can’t be read.");
    return bytes;
  };
  const fromBase64Url = (text) => fromBase64(text, toBase64Url);
  const sha256 = async (bytes) => new Uint8Array(await subtle.digest("SHA-256", bytes));
  const hashText = async (bytes) => toBase64Url(await sha256(bytes));

  /** RFC 8785. */
  const canonical = (value) => {
    if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
    if (value !== null && typeof value === "object") {
      return `{${Object.keys(value).sort().map((k) => `${JSON.stringify(k)}:${canonical(value[k])}`).join(",")}}`;
    }
    must(typeof value !== "number" || Number.isFinite(value), "A number can’t be written.");
    must(typeof value !== "string" || value.isWellFormed?.() !== false, "A character can’t be written.");
    return JSON.stringify(value);
  };

  // Ed25519 ------------------------------------------------------------------------------------------------------
  const PKCS8 = [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

  /** A key pair from the 32 bytes that it is made of. */
  const keyPair = async (bytes) => {
    // WebCrypto has no other way from the bytes to the public key than an extractable copy.
    const own = await subtle.importKey("pkcs8", join(PKCS8, bytes), { name: "Ed25519" }, true, ["sign"]);
    const { x } = await subtle.exportKey("jwk", own);
    return { public: x, sign: async (message) => toBase64Url(new Uint8Array(await subtle.sign("Ed25519", own, encode(message)))) };
  };
  const verify = async (key, message, signature) => {
    try {
      const imported = await subtle.importKey("raw", key, { name: "Ed25519" }, false, ["verify"]);
      return await subtle.verify({ name: "Ed25519" }, imported, signature, message);
    } catch {
      return false;
    }
  };
  const isSigned = (key, message, signature) => verify(fromBase64Url(key), encode(message), fromBase64Url(signature));

  /** Why this browser can't hold a wallet; null when it can. */
  const missing = async () => {
    if (!subtle) {
      return "This page was opened over plain http, so the browser gives it no cryptography. Signing needs https.";
    }
    try {
      await keyPair(new Uint8Array(32));
      return null;
    } catch {
      return "This browser doesn’t know the kind of signature that is needed here (Ed25519). Firefox 129, Safari 17 "
        + "and Chrome or Edge 137, or newer ones, do. Update it, use another browser, or the command line.";
    }
  };

  // The seed and what comes of it; src/credentials/seed.rs ---------------------------------------------------------
  const expand = async (seed, parts, length) => {
    const info = encode(parts.map((part) => `${part}\0`).join(""));
    const key = await subtle.importKey("raw", seed, "HKDF", false, ["deriveBits"]);
    const how = { name: "HKDF", hash: "SHA-256", salt: encode("daylight-wallet/v1"), info };
    return new Uint8Array(await subtle.deriveBits(how, key, length * 8));
  };
  const identityKey = async (seed) => keyPair(await expand(seed, ["identity"], 32));
  const slotKey = async (seed, epoch, group, slot) => keyPair(await expand(seed, ["slot", epoch, group, slot], 32));
  const blindingStream = (seed, epoch, group, slot, keyId) =>
    expand(seed, ["blind", epoch, group, slot, keyId], 48 + 31 * 256);
  const signerSalt = (seed, petition, number) => expand(seed, ["signer", petition, number], 32);

  const LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
  const checksum = async (seed) => (await sha256(join(encode("daylight-code/v1\0"), seed))).slice(0, 3);

  /** For paper: 56 letters in groups of four. */
  const toCode = async (seed) => {
    const bytes = join(seed, await checksum(seed));
    let letters = "";
    for (let at = 0; at < bytes.length; at += 5) {
      const number = bytes.slice(at, at + 5).reduce((n, byte) => n << 8n | BigInt(byte), 0n);
      for (let i = 7n; i >= 0n; i -= 1n) letters += LETTERS[Number(number >> (5n * i) & 31n)];
    }
    return letters.match(/.{4}/g).join("-");
  };
  /** The seed of a code as somebody typed it; null when it isn't one. */
  const fromCode = async (text) => {
    const letters = text.replace(/[\s-]/g, "").toUpperCase().replaceAll("O", "0").replace(/[IL]/g, "1");
    if (letters.length !== 56 || [...letters].some((letter) => !LETTERS.includes(letter))) return null;
    const bytes = letters.match(/.{8}/g).flatMap((eight) => {
      const number = [...eight].reduce((n, letter) => n << 5n | BigInt(LETTERS.indexOf(letter)), 0n);
      return [32n, 24n, 16n, 8n, 0n].map((shift) => Number(number >> shift & 255n));
    });
    const seed = Uint8Array.from(bytes.slice(0, 32));
    return same(Uint8Array.from(bytes.slice(32)), await checksum(seed)) ? seed : null;
  };

  // Statements; src/ledger/proof/petition.rs -----------------------------------------------------------------------
  const lines = (...parts) => parts.map((part) => `${part}\n`).join("");
  const epochMessage = async (origin, { epoch, group, operator, representative }) => {
    const keys = (issuer) => hashText(encode(issuer.keys.join("\n")));
    return lines("daylight-epoch/v1", origin, epoch, group, operator.name, await keys(operator),
      representative.name, await keys(representative));
  };
  const issueMessage = (origin, epoch, issuer, index, request) =>
    lines("daylight-issue/v1", origin, epoch, issuer, index, request);
  const enrolMessage = (origin, issuer, worker, idKey) => lines("daylight-enrol/v1", origin, issuer, worker, idKey);
  const petitionMessage = (origin, petition, version, content) =>
    lines("daylight-petition/v1", origin, petition, version, content);
  const signMessage = (origin, { petition, mode, disclosure, number, signer }) =>
    lines("daylight-sign/v1", origin, petition, mode, disclosure, number, signer ?? "-");
  const signerMessage = (origin, leaf) => lines("daylight-signer/v1", leaf.credential.key) + signMessage(origin, leaf);
  const withdrawMessage = (origin, petition, number) => lines("daylight-withdraw/v1", origin, petition, number);
  const authorMessage = (origin, petition, what, content) => lines("daylight-author/v1", origin, petition, what, content);
  const promiseMessage = (origin, leaf, includeBy) => lines("daylight-promise/v1", origin, leaf, includeBy);
  const signerCommitment = (salt, worker) => hashText(join(encode("daylight-signer/v1\0"), salt, encode(worker)));

  /** Hash of a leaf as it will stand in the log. */
  const leafHash = (leaf) => hashText(join([0], encode(canonical({ ...leaf, v: 1 }))));

  // Tokens; src/ledger/proof/token.rs, src/credentials/blinding.rs --------------------------------------------------
  const SLOTS = 16;
  const SPKI_HEAD = fromBase64("MIIBUjA9BgkqhkiG9w0BAQowMKANMAsGCWCGSAFlAwQCAqEaMBgGCSqGSIb3DQEBCDALBglghkgBZQMEAgKi"
    + "AwIBMAOCAQ8AMIIBCgKCAQEA");
  const SPKI_TAIL = [0x02, 0x03, 0x01, 0x00, 0x01];

  const tokenKey = async (text) => {
    const modulus = fromBase64Url(text);
    must(modulus.length === 256 && modulus[0] & 0x80 && modulus[255] & 1, "An issuer’s key isn’t one of 2048 bits.");
    const jwk = { kty: "RSA", n: text, e: "AQAB", alg: "PS384", ext: true };
    const key = await subtle.importKey("jwk", jwk, { name: "RSA-PSS", hash: "SHA-384" }, true, ["verify"]);
    return { key, id: await sha256(join(SPKI_HEAD, modulus, SPKI_TAIL)) };
  };
  const withLength = (text) => {
    const bytes = encode(text);
    return join([bytes.length >> 8, bytes.length & 255], bytes);
  };
  const challengeDigest = async (issuer, epoch, group, slot, origin) => {
    const context = await sha256(encode(`daylight-slot\0${epoch}\0${group}\0${slot}`));
    return sha256(join([0, 2], withLength(issuer), [32], context, withLength(origin)));
  };
  const tokenInput = (nonce, challenge, keyId) => join([0, 2], nonce, challenge, keyId);

  /** Asks one issuer for the whole pack of an epoch: the request, and what unblinds its answer. */
  const ask = async (seed, origin, epoch, role, index) => {
    const issuer = epoch[role];
    must(issuer.keys.length === SLOTS, "The epoch doesn’t have a key for each slot.");
    const slots = [];
    for (const [slot, text] of issuer.keys.entries()) {
      const { key, id } = await tokenKey(text);
      const challenge = await challengeDigest(issuer.name, epoch.epoch, epoch.group, slot, origin);
      const nonce = fromBase64Url((await slotKey(seed, epoch.epoch, epoch.group, slot)).public);
      const input = tokenInput(nonce, challenge, id);
      const stream = await blindingStream(seed, epoch.epoch, epoch.group, slot, toBase64Url(id));
      slots.push({ key, input, ...await BlindRsa.blind(key, input, stream) });
      // The page stays usable meanwhile.
      await new Promise((drawn) => { setTimeout(drawn); });
    }
    const hash = await hashText(join(...slots.map((s) => s.blindedMsg)));
    const identity = await identityKey(seed);
    const signature = await identity.sign(issueMessage(origin, epoch.epoch, issuer.name, index, hash));
    const blinded = slots.map((s) => toBase64Url(s.blindedMsg));
    return { slots, request: { epoch: epoch.epoch, index, blinded, signature } };
  };
  /** The tokens; refuses an answer of which one doesn't verify. */
  const finish = async ({ slots }, { signed }) => {
    must(Array.isArray(signed) && signed.length === slots.length, "An issuer’s answer is incomplete.");
    const token = async ({ key, input, inv }, answer) => {
      try {
        return toBase64Url(await BlindRsa.finalize(key, input, fromBase64Url(answer), inv));
      } catch {
        throw new Refused("An issuer’s answer doesn’t verify, so it isn’t used.");
      }
    };
    const tokens = [];
    for (const [i, slot] of slots.entries()) tokens.push(await token(slot, signed[i]));
    return tokens;
  };

  // Signing; src/credentials/holder.rs -----------------------------------------------------------------------------
  const credentialOf = async (seed, pack, slot) => {
    const key = await slotKey(seed, pack.epoch, pack.group, slot);
    must(pack.operator[slot] && pack.representative[slot], `There is no slot ${slot}.`);
    return [key, { key: key.public, operator: pack.operator[slot], representative: pack.representative[slot] }];
  };
  /** The request, and the hash of the leaf that it becomes. `disclosure` other than `nobody` is with one's name. */
  const sign = async (wallet, pack, { petition, slot }, number, disclosure) => {
    const { seed, origin } = wallet, mode = disclosure === "nobody" ? "confidential" : "named";
    const [key, credential] = await credentialOf(seed, pack, slot);
    const salt = await signerSalt(seed, petition, number);
    const commitment = mode === "named" ? await signerCommitment(salt, wallet.worker) : null;
    const leaf = { t: "sign", petition, number, mode, disclosure, signer: commitment, credential };
    leaf.signature = await key.sign(signMessage(origin, leaf));
    const proof = async () => (await identityKey(seed)).sign(signerMessage(origin, leaf));
    const signer = commitment && { index: pack.index, salt: toBase64Url(salt), signature: await proof() };
    const { signature } = leaf;
    const request = { action: "sign", petition, number, mode, disclosure, credential, signature, signer };
    return { request, leafHash: await leafHash(leaf) };
  };
  const withdraw = async ({ seed, origin }, pack, { petition, slot }, number) => {
    const key = await slotKey(seed, pack.epoch, pack.group, slot);
    const signature = await key.sign(withdrawMessage(origin, petition, number));
    const leaf = { petition, number, key: key.public, signature };
    return { request: { action: "withdraw", ...leaf }, leafHash: await leafHash({ t: "withdraw", ...leaf }) };
  };
  /** Stands for the author of a petition without a name. */
  const author = async ({ seed, origin }, pack, petition, version, document) => {
    const [key, credential] = await credentialOf(seed, pack, 0);
    const content = await hashText(encode(canonical(document)));
    return { credential, signature: await key.sign(petitionMessage(origin, petition, version, content)) };
  };
  /** What an author without a name signs later: an update, or the end of the petition. */
  const authorAct = async ({ seed, origin }, pack, petition, what, content) => {
    const key = await slotKey(seed, pack.epoch, pack.group, 0);
    return key.sign(authorMessage(origin, petition, what, content));
  };
  /** A key as two people compare it, as src/credentials/wire.rs writes it. */
  const fingerprint = async (key) => Array.from((await sha256(fromBase64Url(key))).slice(0, 16),
    (byte) => byte.toString(16).padStart(2, "0")).join("").match(/.{4}/g).join(" ");
  const promiseHolds = (key, origin, promise) =>
    isSigned(key, promiseMessage(origin, promise.leaf_hash, promise.include_by), promise.signature);

  // The log; C2SP signed-note, tlog-checkpoint, tlog-proof -----------------------------------------------------------
  /** The log's keys that a policy names, as base64. */
  const logKeys = (policy, origin) => policy.split("\n").flatMap((line) => {
    const [what, key] = line.split(/[ \t]+/);
    const [, name, data] = /^([^+\s]+)\+[0-9a-f]{8}\+(.*)$/.exec(key ?? "") ?? [];
    return what === "log" && name === origin ? [data] : [];
  });
  const leftOf = (size, left = 1) => left * 2 < size ? leftOf(size, left * 2) : left;
  const rootOf = async (index, size, hash, path) => {
    must(index < size && size > 1 === path.length > 0, "A proof’s path doesn’t fit its place.");
    if (size === 1) return hash;
    const half = leftOf(size), rest = path.slice(0, -1), sibling = path.at(-1);
    return index < half ? sha256(join([1], await rootOf(index, half, hash, rest), sibling))
      : sha256(join([1], sibling, await rootOf(index - half, size - half, hash, rest)));
  };
  const count = (text) => {
    must(/^(0|[1-9]\d{0,14})$/.test(text ?? ""), "A proof can’t be read.");
    return Number(text);
  };
  /** Whether one of the keys signed this checkpoint of the log. */
  const signedByLog = async (note, text, origin, keys) => {
    for (const line of note.split("\n")) {
      const [, name, data] = /^— (\S+) (\S+)$/.exec(line) ?? [];
      if (name !== origin) continue;
      for (const key of keys) {
        // A type of one byte before the key, four bytes of the key's id before the signature.
        const bytes = fromBase64(key), signature = fromBase64(data);
        if (bytes[0] === 1 && await verify(bytes.slice(1), encode(text), signature.slice(4))) return true;
      }
    }
    return false;
  };
  /** That a leaf with these bytes stands in the log which holds these keys; answers nothing, or throws why it doesn't
      hold. `what`: "the issuers’ keys", as a sentence has it. */
  const inLog = async (proof, leaf, what, origin, keys) => {
    const end = (proof ?? "").indexOf("\n\n");
    const [format, extra, place, ...path] = (proof ?? "").slice(0, Math.max(end, 0)).split("\n");
    must(format === "c2sp.org/tlog-proof@v1" && extra?.startsWith("extra ") && place?.startsWith("index "),
      `The proof of ${what} in the public log can’t be read.`);
    must(same(fromBase64(extra.slice(6)), leaf), `The public log holds something else for ${what} than this server shows.`);
    const note = proof.slice(end + 2), split = note.indexOf("\n\n");
    const text = note.slice(0, split + 1), [name, size, root] = text.split("\n");
    must(split > 0 && name === origin, "The proof is of another log than the one that this wallet began with.");
    const hash = await sha256(join([0], leaf));
    const reached = await rootOf(count(place.slice(6)), count(size), hash, path.map((line) => fromBase64(line)));
    must(same(reached, fromBase64(root)), `The proof doesn’t show ${what} in the public log.`);
    must(await signedByLog(note.slice(split + 2), text, origin, keys),
      "The public log is signed by another key than the one that this wallet began with. That should not happen: ask "
      + "your representative before you go on.");
  };
  const epochInLog = async ({ epoch, leaf_hash: claimed, proof }, origin, keys) => {
    const leaf = encode(canonical({ t: "epoch", v: 1, ...epoch }));
    await inLog(proof, leaf, "the issuers’ keys", origin, keys);
    must(await leafHash({ t: "epoch", ...epoch }) === claimed, "The issuers’ keys don’t have the hash that this server says.");
  };
  const OTHER_TEXT = "The text on this page isn’t the one that was put into the public log: somebody has changed it "
    + "afterwards. Nothing was signed. Don’t rely on it, and tell your representatives.";
  /** That the leaf which is to be signed has this hash and slot, and holds the text that this page shows. `leaf`: its
      bytes as text. Answers those bytes. */
  const textOfLeaf = async ({ petition, slot, epoch, leaf, document }) => {
    const bytes = encode(leaf);
    let it = null;
    try { it = JSON.parse(leaf); } catch { /* refused below */ }
    const content = document && await hashText(encode(canonical(document)));
    must(await hashText(join([0], bytes)) === petition && it?.t === "petition" && it.content === content
      && it.slot === slot && it.epoch === epoch, OTHER_TEXT);
    return bytes;
  };
  const epochSigned = async (epoch, origin, key) =>
    must(await isSigned(key, await epochMessage(origin, epoch), epoch.signature),
      "The issuers’ keys aren’t signed by the representative whose code you typed.");

  return Object.freeze({
    Refused, must, missing, canonical, hashText, encode, toCode, fromCode, identityKey, slotKey, blindingStream, enrolMessage,
    tokenKey, ask, finish, sign, withdraw, author, authorAct, promiseHolds, fingerprint, isSigned, logKeys, inLog, epochInLog, epochSigned, textOfLeaf,
    toBase64Url, fromBase64Url, SLOTS,
  });
})();
