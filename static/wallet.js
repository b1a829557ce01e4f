/* The wallet in this browser: what it keeps (IndexedDB, sent nowhere), how its credentials come, how it signs.
   On every page of somebody signed in, it fetches a new epoch's pack when one is missing, whether or not they sign:
   only then does fetching say nothing about signing. */
"use strict";
globalThis.DaylightWallet = (() => {
  const { Refused, must } = WalletKeys;
  const own = document.currentScript;

  /** Nobody answered: the network, or the other side, is away. */
  class Away extends Error {}
  /** An answer that says no. */
  class Answered extends Error {
    constructor(status, problem) {
      const words = [problem.detail || problem.title || `The server answered ${status}.`, ...(problem.errors ?? []).map((e) => e.message)];
      super(words.filter(Boolean).join(" "));
      Object.assign(this, { status, number: problem.number });
    }
  }

  /** The representative's server speaks with another key than the one that this wallet knows: it was replaced, or
      somebody else answers. Which of the two it is, only its holder can find out. */
  class OtherKey extends Refused {
    constructor({ name, public_key: key }) {
      super("The representative’s server has another key than at your enrolment. That happens when your representatives "
        + "replaced it, and should not happen otherwise: ask them before you go on.");
      this.state = { code: "other-key", other: { name, key } };
    }
  }
  /** It gives credentials to keys alone that were made known to it with a code. */
  class UnknownThere extends Refused {
    constructor(words) {
      super(words);
      this.state = { code: "unknown-there" };
    }
  }

  /** The representative's server doesn't take what mustn't reach this one without its holder's word. */
  class OnlyHere extends Error {}

  // What is kept ---------------------------------------------------------------------------------------------------
  const done = (request) => new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  const STORES = { wallets: "worker", actions: ["worker", "petition"], drafts: "worker" };
  let opened;
  const database = () => {
    opened ??= new Promise((resolve, reject) => {
      const request = indexedDB.open("daylight-wallet", 1);
      request.onupgradeneeded = () => {
        for (const [name, keyPath] of Object.entries(STORES)) request.result.createObjectStore(name, { keyPath });
      };
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(new Refused("This browser lets no page keep anything here, as private windows "
        + "sometimes do. Use another window or browser."));
    });
    return opened;
  };
  const store = async (name, mode = "readonly") => (await database()).transaction(name, mode).objectStore(name);
  const read = async (name, key) => done((await store(name)).get(key));
  const write = async (name, value) => done((await store(name, "readwrite")).put(value));
  const erase = async (name, key) => done((await store(name, "readwrite")).delete(key));
  const find = (worker) => read("wallets", worker);
  const change = async (worker, what) => {
    const wallets = await store("wallets", "readwrite");
    const wallet = await done(wallets.get(worker));
    // Burnt in another tab meanwhile: it doesn't come back.
    if (wallet) await done(wallets.put(Object.assign(wallet, what)));
    return wallet;
  };

  // Asking ---------------------------------------------------------------------------------------------------------
  const LONGEST = 20000;
  const call = async (url, { body, session = false, text = false } = {}) => {
    let answer;
    try {
      answer = await fetch(url, {
        method: body ? "POST" : "GET", body: body && JSON.stringify(body), signal: AbortSignal.timeout(LONGEST),
        headers: body ? { "content-type": "application/json" } : {},
        // Only where it must be known who asks does a cookie go along.
        credentials: session ? "same-origin" : "omit", referrerPolicy: "no-referrer", cache: "no-store",
      });
    } catch {
      throw new Away("Nobody answers.");
    }
    if (!answer.ok) throw new Answered(answer.status, await answer.json().catch(() => ({})));
    if (text) return answer.text();
    return answer.status === 204 ? null : answer.json().catch(() => { throw new Refused("An answer can’t be read."); });
  };
  const orMissing = async (asking) => {
    try { return await asking; } catch (fault) {
      if (fault instanceof Answered && fault.status === 404) return null;
      throw fault;
    }
  };
  const api = (path) => `/api/v1/${path}`;
  const named = (epoch) => `epoch=${encodeURIComponent(epoch)}`;
  const ofRepresentative = (wallet, path) => `${wallet.representative.url.replace(/\/$/, "")}/${path}`;

  // Beginning ------------------------------------------------------------------------------------------------------
  /** What a wallet trusts from its first day on. */
  const pins = async () => {
    const { name, origin, public_key: key } = await call(api("petitions/issuer"));
    const logKeys = WalletKeys.logKeys(await call("/log/policy.txt", { text: true }), origin);
    must(logKeys.length, "The public log’s key can’t be found.");
    return { origin, logKeys, operator: { name, key } };
  };
  const begin = async (worker, seed) => {
    const unfit = await WalletKeys.missing();
    must(!unfit, unfit);
    const wallet = { worker, seed, ...await pins(), representative: null, announced: false, packs: {}, state: null };
    await write("wallets", wallet);
    // Asks the browser not to clear it away when space is short; a no changes nothing.
    navigator.storage?.persist?.().catch(() => {});
    return announce(worker);
  };
  const make = (worker) => begin(worker, crypto.getRandomValues(new Uint8Array(32)));
  /** Tells this server the wallet's public key, which then stands on the roll. */
  const announce = async (worker) => {
    const wallet = await find(worker);
    const key = await WalletKeys.identityKey(wallet.seed);
    const signature = await key.sign(WalletKeys.enrolMessage(wallet.origin, wallet.operator.name, worker, key.public));
    const body = { worker_ref: worker, id_key: key.public, signature };
    const { epoch, from_next_epoch: late } = await call(api("me/wallet"), { session: true, body });
    // Another wallet of theirs may have that epoch's pack already.
    return change(worker, { announced: true, lateFor: late ? epoch : null });
  };
  const meetRepresentative = async (wallet) => {
    const { other } = await call(api("petitions/issuer"));
    must(other, "Your representatives have no server yet. They must connect one first.");
    const { name, role, origin, public_key: key } = await call(`${other.replace(/\/$/, "")}/issuer`);
    must(role === "representative" && origin === wallet.origin, "The representative’s server speaks of another log.");
    return { name, key, url: other };
  };
  /** With the representative's code from paper; from here on their key is the one that counts. Another key than the
      one known so far counts only if its holder has `confirmed` that very one. */
  const enrol = async (worker, code, confirmed) => {
    const wallet = await find(worker);
    if (!wallet.announced) await announce(worker);
    const representative = await meetRepresentative(wallet), { name, key: theirs } = representative;
    if (![wallet.representative?.key ?? theirs, confirmed].includes(theirs)) throw new OtherKey({ name, public_key: theirs });
    const key = await WalletKeys.identityKey(wallet.seed);
    const message = WalletKeys.enrolMessage(wallet.origin, representative.name, worker, key.public);
    const body = { worker_ref: worker, id_key: key.public, signature: await key.sign(message), code };
    await call(ofRepresentative({ representative }, "enrol"), { body });
    return change(worker, { representative });
  };
  /** From the recovery code; `known` is the public key that this server has of the worker. */
  const recover = async (worker, code, known) => {
    const seed = await WalletKeys.fromCode(code);
    must(seed, "This isn’t a recovery code, or a letter is wrong. It has 56 letters and digits.");
    const { public: key } = await WalletKeys.identityKey(seed);
    must(!known || known === key, "This code is of another wallet than the one on record for you.");
    const wallet = await begin(worker, seed);
    // It was made known with a code before, unless the first device never came so far.
    const representative = known ? await meetRepresentative(wallet) : null;
    return change(worker, { representative, recovered: true });
  };
  const burn = async (worker) => {
    const actions = await store("actions", "readwrite");
    await done(actions.delete(IDBKeyRange.bound([worker], [worker, []])));
    await erase("drafts", worker);
    await erase("wallets", worker);
  };

  // Packs ----------------------------------------------------------------------------------------------------------
  const blindRsa = () => globalThis.BlindRsa ? null : new Promise((resolve, reject) => {
    const script = document.createElement("script");
    Object.assign(script, { src: own.dataset.blindrsa, integrity: own.dataset.integrity, nonce: own.nonce });
    script.onload = resolve;
    script.onerror = () => reject(new Away("A part of this page can’t be loaded."));
    document.head.append(script);
  });
  /** Their server may move; that its key stays is checked next. */
  const follow = async (wallet) => {
    const { other } = await call(api("petitions/issuer"));
    if (!other || other === wallet.representative.url) return;
    wallet.representative.url = other;
    await change(wallet.worker, { representative: wallet.representative });
  };
  /** Everything that is checked before anything is blinded: that all are shown the same keys. */
  const checkEpoch = async (wallet, info) => {
    await WalletKeys.epochInLog(info, wallet.origin, wallet.logKeys);
    const there = await call(ofRepresentative(wallet, "issuer"));
    if (there.public_key !== wallet.representative.key) throw new OtherKey(there);
    await WalletKeys.epochSigned(info.epoch, wallet.origin, wallet.representative.key);
    const theirs = await orMissing(call(ofRepresentative(wallet, `epoch?${named(info.epoch.epoch)}`)));
    must(theirs?.leaf_hash === info.leaf_hash, "This server and the representative’s show different keys. That should "
      + "not happen, or one of them is a moment behind: if it stays, ask your representative.");
  };
  const placeOf = async (wallet, epoch) => {
    const { public: key } = await WalletKeys.identityKey(wallet.seed);
    const path = `places/${key}?${named(epoch)}`;
    const places = await Promise.all([api(`petitions/${path}`), ofRepresentative(wallet, path)]
      .map((url) => orMissing(call(url))));
    if (places.some((place) => place?.epoch !== epoch)) return null;
    must(places[0].index === places[1].index, "This server and the representative’s have you at different places.");
    return places[0].index;
  };
  const fetchPack = async (wallet, info, index) => {
    await blindRsa();
    const { epoch, group } = info.epoch, pack = { epoch, group, index };
    const from = { operator: api("petitions/packs"), representative: ofRepresentative(wallet, "packs") };
    for (const role of ["operator", "representative"]) {
      const asked = await WalletKeys.ask(wallet.seed, wallet.origin, info.epoch, role, index);
      pack[role] = await WalletKeys.finish(asked, await given(role, call(from[role], { body: asked.request })));
    }
    return pack;
  };
  const given = async (role, asking) => {
    try { return await asking; } catch (fault) {
      // On a signed roll, and yet not known there: another server than the one that had the code.
      if (role === "representative" && fault instanceof Answered && fault.status === 403) throw new UnknownThere(fault.message);
      throw fault;
    }
  };
  /** Checks an epoch and fetches its pack; false where this key isn't on its roll. */
  const bring = async (worker, info) => {
    const wallet = await find(worker), { epoch } = info.epoch;
    await checkEpoch(wallet, info);
    const index = await placeOf(wallet, epoch);
    if (index === null) return false;
    const pack = await fetchPack(wallet, info, index);
    await change(worker, { packs: { ...wallet.packs, [epoch]: pack } });
    return true;
  };
  /** Packs of former epochs whose petitions still take signatures or withdrawals: a wallet that was brought back has
      none. Answers why one couldn't come, by epoch; where this key isn't on a roll, it never will be. */
  const bringFormer = async (wallet, epochs) => {
    const problems = {}, absent = new Set(wallet.absent);
    for (const epoch of epochs) {
      try {
        const info = await call(api(`petitions/epoch?${named(epoch)}`));
        must(info.epoch.epoch === epoch, "This server answers with another quarter than was asked for.");
        if (await bring(wallet.worker, info)) absent.delete(epoch);
        else absent.add(epoch);
      } catch (fault) {
        problems[epoch] = words(fault);
      }
    }
    await change(wallet.worker, { absent: [...absent] });
    return problems;
  };
  /** What is so now: a code, and words where there is something to say. `wanted`: the epoch of a petition. */
  const look = async (wallet, wanted) => {
    const info = await orMissing(call(api("petitions/epoch")));
    if (!info) return { code: "no-epoch" };
    const { ends_at, packs, packs_needed, former = [] } = info, { epoch } = info.epoch;
    const state = { epoch, ends_at, packs, packs_needed, former };
    const missing = former.filter((name) => !wallet.packs[name] && (name === wanted || !wallet.absent?.includes(name)));
    if (wallet.packs[epoch] && !missing.length) return { code: "ready", ...state };
    if (!wallet.representative) return { code: "needs-code", ...state };
    await follow(wallet);
    if (missing.length) state.problems = await bringFormer(wallet, missing);
    if (wallet.packs[epoch] || await bring(wallet.worker, info)) return { code: "ready", ...state };
    return { code: "not-on-roll", ...state };
  };
  const words = (fault) => {
    if (fault instanceof Away) return "The network or one of the two servers is away. It is tried again by itself.";
    if (fault instanceof Refused || fault instanceof Answered) return fault.message;
    return "Something went wrong in this browser. Reload the page and try again.";
  };
  // One tab at a time; the others find what it brought.
  const alone = (work) => navigator.locks ? navigator.locks.request("daylight-wallet", work) : work();
  const refresh = (worker, wanted) => alone(async () => {
    const wallet = await find(worker);
    if (!wallet) return null;
    let state;
    try {
      state = await look(wallet, wanted);
    } catch (fault) {
      state = { code: "problem", words: words(fault), ...fault.state };
    }
    return change(worker, { state: { ...state, looked: Date.now() } });
  });

  // Signing --------------------------------------------------------------------------------------------------------
  const action = (worker, petition) => read("actions", [worker, petition]);
  /** The number of the key's next action: from the wallet's own record, else from what stands in the log. A wallet
      that was made here knows that it has none there, and doesn't ask: who asks for a key shows that they hold it. */
  const nextNumber = async (kind, before, wallet, pack, { petition, slot }) => {
    if (before) return before.number + 1;
    if (kind === "sign" && !wallet.recovered) return 1;
    const { public: key } = await WalletKeys.slotKey(wallet.seed, pack.epoch, pack.group, slot);
    const found = await orMissing(call(api(`petitions/keys/${petition}/${key}`)));
    // A withdrawal follows a signature that may still wait.
    return (found?.number ?? (kind === "withdraw" ? 1 : 0)) + 1;
  };
  /** To the representative first; where they don't take it, to this server: which knows whose browser reads this page,
      and could lay the two beside each other. So what says nothing of its holder goes there on their word only. */
  const deliver = async (wallet, request, mayGoHere) => {
    try {
      return [await call(ofRepresentative(wallet, "actions"), { body: request }), "representative"];
    } catch (fault) {
      if (fault instanceof Answered && fault.number) throw fault;
      if (!navigator.onLine) throw fault;
      if (!mayGoHere) throw new OnlyHere();
    }
    return [await call(api("petitions/actions"), { body: request }), "operator"];
  };
  const checkPromise = async (wallet, made, promise) => {
    const fits = promise.leaf_hash === made.leafHash && wallet[promise.by]
      && await WalletKeys.promiseHolds(wallet[promise.by].key, wallet.origin, promise);
    must(fits, "What came back isn’t a promise for what was sent, so it may not count. Try again, and tell your "
      + "representative if this stays.");
  };
  /** That the text on the page is the one whose leaf is signed, and that the leaf stands in the log; false while it
      has no place there yet. A server that shows one text and has another signed is found out here. */
  const checkText = async (wallet, target) => {
    const leaf = await WalletKeys.textOfLeaf(target);
    const proof = target.index && await orMissing(call(`/log/entries/${encodeURIComponent(target.index)}/proof`, { text: true }));
    if (proof) await WalletKeys.inLog(proof, leaf, "this petition’s text", wallet.origin, wallet.logKeys);
    return Boolean(proof);
  };
  /** Signs (`disclosure`: who sees the name) or withdraws (null). `target`: petition (its leaf's hash), slot, epoch, leaf
      (as text), its index in the log, and the document that the page shows. `anyway`: this server may see it, too. */
  const act = async (worker, target, disclosure, anyway = false) => {
    const wallet = await find(worker), pack = wallet?.packs[target.epoch], kind = disclosure ? "sign" : "withdraw";
    must(pack, "This wallet has no credentials for this petition.");
    const before = await action(worker, target.petition);
    const inLog = kind === "sign" && await checkText(wallet, target);
    const isNamed = (disclosure ?? before?.disclosure ?? "nobody") !== "nobody";
    const makeRequest = (number) => kind === "sign" ? WalletKeys.sign(wallet, pack, target, number, disclosure)
      : WalletKeys.withdraw(wallet, pack, target, number);
    // What was sent and never answered may have arrived: the same again is the same.
    const again = before?.pending && before.kind === kind && before.disclosure === disclosure;
    let number = again ? before.number : await nextNumber(kind, before, wallet, pack, target);
    for (let tries = 0; ; tries += 1) {
      const made = await makeRequest(number);
      const record = { worker, petition: target.petition, kind, disclosure, number, named: wasNamed({ disclosure, before }) };
      await write("actions", { ...record, pending: true, before: again ? before.before : before && standing(before) });
      try {
        const [promise, via] = await deliver(wallet, made.request, isNamed || anyway);
        await checkPromise(wallet, made, promise);
        const kept = { ...record, promise, via, inLog };
        await write("actions", kept);
        return kept;
      } catch (fault) {
        if (!(fault instanceof Answered && fault.number >= number) || tries) throw fault;
        number = fault.number + 1;
      }
    }
  };
  /** Whether its key ever went out with a name, though it was withdrawn or changed later: each action of a wallet on a
      petition has the same key, so whoever saw the name knows whose the others are. */
  const wasNamed = (it) => Boolean(it && (it.named || (it.disclosure ?? "nobody") !== "nobody" || wasNamed(it.before)));
  /** What counts: where the last thing sent wasn't answered, what was before it. */
  const standing = ({ pending, before, ...rest }) => pending ? before : rest;

  // Starting without a name ------------------------------------------------------------------------------------------
  const start = async (worker, epoch, petition, document) => {
    const wallet = await find(worker), pack = wallet?.packs[epoch];
    must(pack, "This wallet has no credentials for this epoch.");
    const made = await WalletKeys.author(wallet, pack, petition, 1, document);
    const { open_days, about } = document;
    const body = { petition, document, open_days, about_kind: about?.kind ?? null, about_id: about?.id ?? null, ...made };
    try {
      await call(api("petitions/start"), { body });
    } catch (fault) {
      // Sent before, and the answer was lost: then it stands there already.
      if (fault instanceof Away) await change(worker, { starting: petition });
      if (!(fault instanceof Answered && fault.status === 409 && wallet.starting === petition)) throw fault;
    }
    const started = [...wallet.started ?? [], { petition, epoch, title: document.title }];
    return change(worker, { started, starting: null });
  };
  /** What an author without a name does later: posts news (`text`), or gives the petition up (null). */
  const authorAct = async (worker, { epoch, petition }, text) => {
    const wallet = await find(worker), pack = wallet?.packs[epoch], what = text ? "update" : "give_up";
    must(pack, "This wallet has no credentials for this epoch.");
    const content = await WalletKeys.hashText(WalletKeys.encode(text ?? ""));
    const signature = await WalletKeys.authorAct(wallet, pack, petition, what, content);
    const body = text ? { act: what, text, signature } : { act: what, signature };
    return call(api(`petitions/${petition}/author`), { body });
  };
  const draft = { read: (worker) => read("drafts", worker), write: (it) => write("drafts", it), erase: (worker) => erase("drafts", worker) };

  // By itself --------------------------------------------------------------------------------------------------------
  const HOUR = 3600000, SLOWEST = 4000;
  const isDue = ({ state }) => state?.code !== "ready" || Date.now() - state.looked > HOUR || Date.parse(state.ends_at) < Date.now();
  const background = async () => {
    const wallets = await done((await store("wallets")).getAll());
    // Not at the moment of the page's own request: nobody should be able to lay the two beside each other.
    await new Promise((resolve) => { setTimeout(resolve, SLOWEST * (1 + 3 * Math.random()) / 4); });
    for (const { worker } of wallets.filter(isDue)) await refresh(worker);
  };
  // Pages with a wallet of their own on them look at once.
  if (globalThis.indexedDB && !document.querySelector("[data-wallet-page]")) background().catch(() => {});

  return Object.freeze({
    find, make, enrol, recover, burn, refresh, action, standing, wasNamed, act, start, authorAct, draft, words,
    Away, Answered, OnlyHere,
  });
})();
