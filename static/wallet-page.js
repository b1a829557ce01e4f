/* The wallet's page: makes, recovers, shows and burns. */
"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const wallet = DaylightWallet;
  const root = $("wallet");
  // `known`: the public key that this server has, which tells whether a recovery code is the right one.
  const { worker, known } = root.dataset;

  const STATES = {
    "no-epoch": ["The first quarter with credentials hasn’t begun. Your wallet waits for it.", "Waiting for the first quarter"],
    "needs-code": ["Your wallet is made. Now type the code that your representatives gave you.", "Waiting for your code"],
    "not-on-roll": ["Your key isn’t on a roll that your representatives have signed yet. They sign a new one about once a day. "
      + "Your wallet looks again by itself whenever you are here; there is nothing to do.", "Waiting for the roll"],
    "other-key": ["Read below before you go on.", "The representative’s server has another key"],
    "unknown-there": ["The representative’s server doesn’t know your wallet yet, though it did before, or another did. Type a code that "
      + "your representatives gave you for it.", "Waiting for your code"],
    ready: ["Your credentials are here. You can sign.", "Ready"],
    problem: ["Your credentials couldn’t be fetched.", "A problem"],
  };

  const NEXT = ["Another wallet of yours has this quarter’s credentials, and there is only one pack each. Recover that one with its "
    + "code (burn this one first), or wait: this wallet counts from the next quarter on.", "Counts from the next quarter on"];

  const show = (id, visible) => { $(id).hidden = !visible; };
  const say = (words) => { if ($("state").textContent !== words) $("state").textContent = words; };
  const trouble = (words) => {
    $("trouble").textContent = words ?? "";
    show("trouble", Boolean(words));
    if (words) $("trouble").focus();
  };
  /** One thing at a time; what fails is said, and what was typed stays. */
  const run = async (button, work) => {
    trouble(null);
    button.disabled = true;
    try {
      await work();
    } catch (fault) {
      trouble(fault instanceof wallet.Away ? "The network or a server is away. Nothing is lost: try again." : wallet.words(fault));
    } finally {
      button.disabled = false;
    }
  };

  // There is one a quarter; what is written here is about the newest.
  let newest = null;
  const drawStarted = (started) => {
    newest = started.at(-1) ?? null;
    show("started", Boolean(newest));
    $("started-list").replaceChildren(...started.map(({ petition, title }) => {
      const line = document.createElement("li");
      line.append(Object.assign(document.createElement("a"), { href: `/petitions/${petition}`, textContent: title }));
      return line;
    }));
  };
  // The key that was compared and confirmed on this page, in place of the one that the wallet knows.
  let confirmed = null;
  const drawOtherKey = async (it, code) => {
    const other = code === "other-key" ? it.state.other : null;
    const asks = Boolean(other) && other.key !== confirmed;
    show("other-key", asks);
    if (asks) {
      $("key-before").textContent = `${it.representative.name}: ${await WalletKeys.fingerprint(it.representative.key)}`;
      $("key-now").textContent = `${other.name}: ${await WalletKeys.fingerprint(other.key)}`;
    }
    return Boolean(other) && !asks;
  };
  const draw = async () => {
    const it = await wallet.find(worker);
    show("begin", !it);
    for (const part of ["credentials", "paper", "end"]) show(part, Boolean(it));
    drawStarted(it?.started ?? []);
    if (!it) {
      show("enrolment", false);
      show("other-key", false);
      document.querySelector("[data-when-known]").hidden = !known;
      return say("There is no wallet of yours in this browser.");
    }
    const code = it.state?.code ?? "needs-code", replaced = code === "not-on-roll" && it.lateFor === it.state.epoch;
    const [words, short] = replaced ? NEXT : STATES[code];
    const ready = code === "ready";
    const mayReplace = await drawOtherKey(it, code);
    show("enrolment", !it.representative || mayReplace || ["not-on-roll", "unknown-there"].includes(code));
    const wrong = ["problem", "other-key"].includes(code);
    $("state").className = `banner banner--${ready ? "success" : wrong ? "warning" : "info"}`;
    say(code === "problem" ? `${words} ${it.state.words}` : wrong ? `${it.state.words} ${words}` : words);
    $("is").textContent = short;
    const epochs = Object.keys(it.packs);
    $("epoch").textContent = epochs.length ? `Credentials for ${epochs.join(", ")}` : it.state?.epoch ? `${it.state.epoch}: none yet` : "not known yet";
    $("representative-key").textContent = it.representative ? `${it.representative.name}: ${await WalletKeys.fingerprint(it.representative.key)}` : "not known yet";
  };
  const refresh = async () => {
    await draw();
    say("Looking for your credentials … This can take some seconds.");
    await wallet.refresh(worker);
    await draw();
  };

  $("make").addEventListener("click", () => run($("make"), async () => {
    await wallet.make(worker);
    await refresh();
    $("state").focus();
  }));
  $("recover").addEventListener("submit", (event) => {
    event.preventDefault();
    run(event.submitter, async () => {
      await wallet.recover(worker, $("recovery").value, known);
      $("recovery").value = "";
      await refresh();
      $("state").focus();
    });
  });
  $("enrol").addEventListener("submit", (event) => {
    event.preventDefault();
    run(event.submitter, async () => {
      const code = $("code").value.trim();
      if (!code) throw new WalletKeys.Refused("Type the code first.");
      await wallet.enrol(worker, code, confirmed);
      $("code").value = "";
      await refresh();
      $("state").focus();
    });
  });
  $("replace").addEventListener("submit", (event) => {
    event.preventDefault();
    run(event.submitter, async () => {
      if (!$("compared").checked) throw new WalletKeys.Refused("Compare the new key with your representatives first, and say that you did.");
      $("compared").checked = false;
      confirmed = (await wallet.find(worker)).state.other.key;
      await draw();
      $("code").focus();
    });
  });
  $("again").addEventListener("click", () => run($("again"), refresh));

  $("show-code").addEventListener("click", async () => {
    const open = $("recovery-paper").hidden;
    $("recovery-code").textContent = open ? await WalletKeys.toCode((await wallet.find(worker)).seed) : "";
    show("recovery-paper", open);
    $("show-code").setAttribute("aria-expanded", String(open));
    $("show-code").textContent = open ? "Hide the recovery code" : "Show the recovery code";
    // What is printed then is the code alone.
    document.body.classList.toggle("prints-recovery", open);
  });
  $("print-code").addEventListener("click", () => print());

  const author = (button, text, words) => run(button, async () => {
    await wallet.authorAct(worker, newest, text);
    $("news").value = "";
    say(words);
    $("state").focus();
  });
  $("author").addEventListener("submit", (event) => {
    event.preventDefault();
    const text = $("news").value.trim();
    if (text) author($("post"), text, "Your news is on the petition’s page.");
    else trouble("Write the news first.");
  });
  $("give-up").addEventListener("click", () => $("give-up-dialog").showModal());
  $("give-up-no").addEventListener("click", () => $("give-up-dialog").close());
  $("give-up-yes").addEventListener("click", () => {
    $("give-up-dialog").close();
    author($("give-up"), null, "The petition is given up.");
  });

  $("burn").addEventListener("click", () => $("burn-dialog").showModal());
  $("burn-no").addEventListener("click", () => $("burn-dialog").close());
  $("burn-yes").addEventListener("click", () => run($("burn-yes"), async () => {
    await wallet.burn(worker);
    $("burn-dialog").close();
    document.body.classList.remove("prints-recovery");
    show("recovery-paper", false);
    $("recovery-code").textContent = "";
    await draw();
    say("The wallet is burnt. There is none of yours in this browser any more.");
    $("state").focus();
  }));

  const begin = async () => {
    const unfit = await WalletKeys.missing();
    if (unfit) {
      const [title, text] = $("no-script").children;
      title.textContent = "This browser can’t hold a wallet";
      text.textContent = unfit;
      return;
    }
    show("no-script", false);
    root.hidden = false;
    await run($("again"), async () => {
      if (await wallet.find(worker)) await refresh();
      else await draw();
    });
  };
  begin();
})();
