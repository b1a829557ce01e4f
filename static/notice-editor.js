/* The notice editor: saves by itself and shows a preview. Without this file its buttons do both. */
const form = document.querySelector("form[data-autosave]");
const status = document.querySelector("#save-status");
const preview = document.querySelector("#preview");

const SAVE_AFTER = 1500;
const PREVIEW_AFTER = 500;
const RETRY_AFTER = 10000;

let dirty = false;
let stopped = false;
let saving = null;
let saveTimer;
let previewTimer;

const say = (words) => {
  if (status.textContent !== words) status.textContent = words;
};
const body = (part) => {
  const data = new URLSearchParams(new FormData(form));
  if (part) data.set("part", part);
  return data;
};
const clock = () => new Date().toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

// What was sent and never answered. It may have been saved, so it is sent again as it was; the server then answers
// with the revision that it made, and what was written since is saved on top of that.
let unanswered = null;

const saveOnce = async () => {
  dirty = unanswered !== null;
  const sent = unanswered ?? body();
  let answer;
  try {
    answer = await fetch(form.dataset.autosave, { method: "POST", body: sent });
  } catch {
    unanswered = sent;
    dirty = true;
    say("Not saved: no connection. Your text is still here; it is tried again every ten seconds.");
    return later(RETRY_AFTER);
  }
  const isJson = (answer.headers.get("content-type") || "").startsWith("application/json");
  if (isJson) unanswered = null;
  if (answer.ok && isJson) {
    form.elements.revision.value = (await answer.json()).revision;
    say(`Saved ${clock()}`);
    if (dirty) later(SAVE_AFTER);
    return;
  }
  dirty = true;
  if (answer.status === 409 || answer.status === 422) {
    const why = isJson ? (await answer.json()).detail : "it can't be saved like this.";
    say(`Not saved: ${why}`);
    // Trying again would say the same; a mistake is tried again when it is changed.
    stopped = answer.status === 409;
  } else if (answer.redirected || answer.status === 401 || answer.status === 403) {
    say("Not saved: you are signed out. Sign in again in another tab; your text is still here.");
    later(RETRY_AFTER);
  } else {
    say("Not saved: the server didn't take it. Your text is still here; it is tried again every ten seconds.");
    later(RETRY_AFTER);
  }
};

const save = () => {
  saving ??= saveOnce().finally(() => { saving = null; });
  return saving;
};
const later = (wait) => {
  clearTimeout(saveTimer);
  if (!stopped) saveTimer = setTimeout(save, wait);
};

const showPreview = async () => {
  try {
    const answer = await fetch(form.dataset.preview, { method: "POST", body: body("preview") });
    if (answer.ok && !answer.redirected) preview.innerHTML = await answer.text();
  } catch {
    // The save says that there is no connection.
  }
};

form.addEventListener("input", () => {
  dirty = true;
  later(SAVE_AFTER);
  clearTimeout(previewTimer);
  previewTimer = setTimeout(showPreview, PREVIEW_AFTER);
});
window.addEventListener("online", () => { if (dirty) later(0); });

// A save by button waits for the one under way: else it would come with an older number.
let leaving = false;
form.addEventListener("submit", (event) => {
  clearTimeout(saveTimer);
  if (!saving) {
    leaving = true;
    return;
  }
  event.preventDefault();
  const button = event.submitter;
  saving.then(() => form.requestSubmit(button));
});
window.addEventListener("beforeunload", (event) => {
  if (dirty && !leaving) event.preventDefault();
});
window.addEventListener("pageshow", () => { leaving = false; });
