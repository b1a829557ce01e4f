/* The page on which one signs. What it knows of earlier signatures it knows from the wallet: it asks nobody. */
"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const root = $("signing");
  // Closed: there is nothing to do here.
  if (!root) return;
  const wallet = DaylightWallet;
  const { worker, zone } = root.dataset;
  const { petition, epoch, leaf, index } = root.dataset;
  const target = { petition, slot: Number(root.dataset.slot), epoch, leaf, index, document: JSON.parse(root.dataset.document) };
  const form = $("sign");
  const WHO = { everyone: "everyone here sees it", representatives: "only representatives see it" };

  // A promise doesn't say this by itself; it goes with each receipt.
  const CONDITIONS = "It is published at the latest when the petition closes, provided that five or more sign it, and that "
    + "it isn’t refused, given up, edited or left without enough support before it opens.";

  /** What is read here is what is hashed before signing: the words come from the document itself. */
  const drawText = () => {
    const { title, demand, background } = target.document;
    $("petition-title").textContent = title;
    for (const [id, text] of [["petition-demand", demand], ["petition-background", background]]) {
      const lines = (text ?? "").split("\n").filter((line) => line.trim());
      $(id)?.replaceChildren(...lines.map((line) => Object.assign(document.createElement("p"), { dir: "auto", textContent: line })));
    }
  };

  const show = (id, visible) => { $(id).hidden = !visible; };
  const say = (words) => {
    $("state").textContent = words ?? "";
    show("state", Boolean(words));
  };
  const trouble = (words) => {
    $("trouble").textContent = words ?? "";
    show("trouble", Boolean(words));
    if (words) $("trouble").focus();
  };
  const moment = (at) => new Intl.DateTimeFormat("en-GB", { dateStyle: "long", timeStyle: "short", timeZone: zone }).format(new Date(at));

  /** Who may see the name: a leaf's `disclosure`; null while nothing is chosen. */
  const chosen = () => {
    const { mode, who, department } = form.elements;
    if (!mode.value) return null;
    if (mode.value === "confidential") return "nobody";
    return department?.checked ? `${who.value}_with_department` : who.value;
  };
  const inWords = (disclosure) => {
    if (disclosure === "nobody") return "confidentially: nobody sees that it is you";
    const who = disclosure.replace("_with_department", "");
    return `with your name: ${WHO[who]}${who === disclosure ? "" : ", with your department"}`;
  };

  // Whether this wallet's key for this petition was ever seen with a name.
  let tied = false, known = false;
  const hint = $("confidential-hint").textContent;
  /** Beside the choice, before it is made: what was shown once can't be hidden again. */
  const warn = (isRecovered) => {
    if (form.elements["mode-confidential"].disabled) return;
    const strong = Object.assign(document.createElement("strong"), { textContent: "This can’t hide who you are any more." });
    if (tied) $("confidential-hint").replaceChildren(strong, " You signed this petition with your name, and each signature of yours on it "
      + "has the same key. So this server, and everybody who saw your name, know that this one is yours, too. Your name is only no longer shown beside it.");
    else $("confidential-hint").textContent = isRecovered ? `${hint} Unless you signed this petition with your name before you `
      + "recovered this wallet: the key is the same, so whoever saw your name knows." : hint;
  };

  const drawSigned = (it) => {
    const signed = it.kind === "sign";
    tied ||= wallet.wasNamed(it);
    $("signed-title").textContent = signed ? "You signed this petition" : "You withdrew your signature";
    $("signed-words").textContent = !signed ? "You can sign again until it closes."
      : tied && it.disclosure === "nobody" ? "You signed again without your name. But it was signed with your name before, by the same key: whoever saw that knows that it is you."
        : `You signed ${inWords(it.disclosure)}.`;
    const via = it.via === "operator" ? " The representative’s server didn’t answer, so it was handed to this server directly; it counts just the same." : "";
    const fresh = signed && it.inLog === false ? " The petition’s own text isn’t in the public log yet, so this browser could compare it with its hash only." : "";
    const by = moment(it.promise.include_by), late = Date.parse(it.promise.include_by) < Date.now();
    $("signed-next").textContent = late ? `It was promised to stand in the public log by ${by}.`
      : `It waits for the next batch. It stands in the public log by ${by} at the latest, under the conditions named with the receipt.${via}${fresh}`;
    for (const part of ["withdraw", "receipt-part"]) show(part, signed);
    $("change").textContent = signed ? "Change how" : "Sign again";
    show("signed", true);
    show("sign", false);
    show("elsewhere", false);
  };
  const drawForm = () => {
    show("signed", false);
    show("sign", true);
    show("elsewhere", true);
    $("how").disabled = false;
    wallet.find(worker).then((it) => warn(it?.recovered && !known)).catch(() => {});
    update();
  };
  const update = () => {
    $("who").disabled = form.elements.mode.value !== "named";
    $("submit").disabled = false;
  };
  const draw = async () => {
    const it = await wallet.action(worker, target.petition);
    const standing = it && wallet.standing(it);
    [known, tied] = [Boolean(it), wallet.wasNamed(it)];
    if (standing) drawSigned(standing);
    else drawForm();
    if (it?.pending) trouble("The last time nobody answered, so it isn’t certain that it arrived. Try again: the same twice counts once.");
  };

  const send = async (button, disclosure, anyway) => {
    trouble(null);
    button.disabled = true;
    say("Sending …");
    try {
      const it = await wallet.act(worker, target, disclosure, anyway);
      say(null);
      drawSigned(it);
      $("signed-title").focus();
    } catch (fault) {
      say(null);
      if (fault instanceof wallet.OnlyHere) {
        $("here-yes").onclick = () => {
          $("here-dialog").close();
          send(button, disclosure, true);
        };
        return $("here-dialog").showModal();
      }
      trouble(fault instanceof wallet.Away ? "The network is cut, or both servers are away. Nothing is lost: what you chose is still here. Try again." : wallet.words(fault));
    } finally {
      button.disabled = false;
    }
  };
  form.addEventListener("change", update);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const disclosure = chosen();
    if (disclosure) send($("submit"), disclosure);
    else {
      trouble("Choose how you want to sign.");
      form.elements.mode[0].focus();
    }
  });
  $("change").addEventListener("click", () => {
    drawForm();
    (form.querySelector("[name=mode]:checked") ?? form.querySelector("[name=mode]:not(:disabled)")).focus();
  });
  for (const id of ["withdraw", "withdraw-elsewhere"]) $(id).addEventListener("click", () => $("withdraw-dialog").showModal());
  $("withdraw-no").addEventListener("click", () => $("withdraw-dialog").close());
  $("here-no").addEventListener("click", () => {
    $("here-dialog").close();
    trouble("Not sent yet. What you chose is still here; try again later.");
  });
  $("withdraw-yes").addEventListener("click", () => {
    $("withdraw-dialog").close();
    send($("withdraw"), null);
  });
  $("receipt").addEventListener("click", async () => {
    const { origin } = await wallet.find(worker), { promise } = wallet.standing(await wallet.action(worker, target.petition));
    const file = new Blob([JSON.stringify({ origin, petition: target.petition, promise, conditions: CONDITIONS }, null, 2)], { type: "application/json" });
    const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(file), download: "receipt.json" });
    link.click();
    URL.revokeObjectURL(link.href);
  });

  /** Why the pack isn't there, in words. */
  const why = ({ state, absent }) => {
    const { problems = {}, former = [] } = state ?? {};
    if (problems[target.epoch]) return `Those of ${target.epoch}, to which this petition belongs, couldn’t be fetched. ${problems[target.epoch]}`;
    if (former.includes(target.epoch) && absent?.includes(target.epoch)) {
      return `This petition belongs to ${target.epoch}, and this wallet’s key isn’t on the roll of that time. Who joined or made the wallet later can’t sign it; the credentials of ${state.epoch} are for petitions that begin from now on. If you had another wallet then, recover that one with its code.`;
    }
    if (state?.code === "ready") return `It holds those of ${state.epoch}; this petition belongs to ${target.epoch}, whose credentials aren’t given out any more.`;
    if (state?.code === "problem") return state.words;
    if (state?.code === "not-on-roll") return "They come once your representatives have signed a roll with your key on it. This page doesn’t have to stay open.";
    return "They come once you have typed the code that your representatives give you.";
  };
  const begin = async () => {
    const unfit = await WalletKeys.missing();
    if (unfit) {
      const [title, text] = $("no-script").children;
      title.textContent = "This browser can’t sign";
      text.textContent = unfit;
      return;
    }
    show("no-script", false);
    drawText();
    let mine = worker && await wallet.find(worker);
    if (!mine) return show("no-wallet", true);
    if (!mine.packs[target.epoch]) {
      say("Looking for your credentials …");
      mine = await wallet.refresh(worker, target.epoch);
      say(null);
    }
    if (mine.packs[target.epoch]) return draw();
    $("no-pack-why").textContent = why(mine);
    show("no-pack", true);
  };
  begin().catch((fault) => trouble(wallet.words(fault)));
})();
