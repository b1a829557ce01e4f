/* Starts a petition without a name. The draft stays in this browser until it is submitted. */
"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const root = $("starting"), form = $("start");
  const wallet = DaylightWallet;
  const { worker, epoch, aboutKind, aboutId } = root.dataset;
  const FIELDS = ["title", "demand", "background", "open_days"];
  const SAVE_AFTER = 400;

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

  // The petition's id is part of what is signed, so it stays with the draft: sent twice, it is one petition.
  let petition = crypto.randomUUID?.();
  let saving;
  const save = async () => {
    await wallet.draft.write({ worker, petition, ...Object.fromEntries(FIELDS.map((name) => [name, $(name).value])) });
    $("save-status").textContent = "The draft is saved in this browser.";
    show("discard", true);
  };
  form.addEventListener("input", () => {
    clearTimeout(saving);
    saving = setTimeout(() => save().catch((fault) => trouble(wallet.words(fault))), SAVE_AFTER);
  });

  const written = () => ({
    title: $("title").value.trim(), demand: $("demand").value.trim(), background: $("background").value.trim(),
    about: aboutKind ? { kind: aboutKind, id: aboutId } : null, open_days: Number($("open_days").value),
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    trouble(null);
    const document = written(), empty = ["title", "demand"].find((name) => !document[name]);
    if (empty) {
      trouble(empty === "title" ? "Give it a title." : "Say what you ask for.");
      return $(empty).focus();
    }
    $("submit").disabled = true;
    say("Submitting …");
    clearTimeout(saving);
    try {
      await save();
      await wallet.start(worker, epoch, petition, document);
      await wallet.draft.erase(worker);
      say("Submitted. Colleagues can support it from the next full hour on. This page doesn’t lead there by itself: whoever goes to a "
        + "petition at the moment of its coming could be its author. It stands on your wallet’s page.");
      form.hidden = true;
      $("state").focus();
    } catch (fault) {
      say(null);
      $("submit").disabled = false;
      trouble(fault instanceof wallet.Away ? "The network is cut, or the server is away. Nothing is lost: the draft is in this browser. Try again." : wallet.words(fault));
    }
  });

  $("discard").addEventListener("click", () => $("discard-dialog").showModal());
  $("discard-no").addEventListener("click", () => $("discard-dialog").close());
  $("discard-yes").addEventListener("click", async () => {
    clearTimeout(saving);
    await wallet.draft.erase(worker);
    petition = crypto.randomUUID();
    form.reset();
    show("discard", false);
    $("save-status").textContent = "The draft is deleted.";
    $("discard-dialog").close();
    $("title").focus();
  });

  const begin = async () => {
    const unfit = await WalletKeys.missing();
    if (unfit) {
      const [title, text] = $("no-script").children;
      title.textContent = "This browser can’t sign";
      text.textContent = unfit;
      return;
    }
    show("no-script", false);
    let mine = worker && await wallet.find(worker);
    if (!mine) {
      say("There is no wallet of yours in this browser. ");
      $("state").append(Object.assign(document.createElement("a"), { href: "/petitions/wallet", textContent: "Make a wallet, or recover yours" }));
      return;
    }
    const draft = await wallet.draft.read(worker);
    if (draft) {
      petition = draft.petition;
      for (const name of FIELDS) $(name).value = draft[name];
      $("save-status").textContent = "This is the draft that you began.";
      show("discard", true);
    }
    $("fields").disabled = false;
    if (epoch && !mine.packs[epoch]) mine = await wallet.refresh(worker);
    if (epoch && mine.packs[epoch]) $("submit").disabled = root.dataset.blocked === "true";
    else say("Your wallet has no credentials for this quarter yet. You can write meanwhile.");
  };
  begin().catch((fault) => trouble(wallet.words(fault)));
})();
