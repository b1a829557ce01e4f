/* Progressive enhancement only: every page works without this file. */
(() => {
  "use strict";

  // Avoid double posts. The button is disabled after the event, so that its
  // own name=value is still sent. Forms that answer with a download stay on
  // the page, so the button comes back after a while.
  const locked = new Set();
  const unlock = () => {
    locked.forEach((button) => { button.disabled = false; });
    locked.clear();
  };
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || (form.getAttribute("method") || "").toLowerCase() !== "post") return;
    setTimeout(() => {
      form.querySelectorAll("button:not([type=button]):not(:disabled)").forEach((button) => {
        button.disabled = true;
        locked.add(button);
      });
    }, 0);
    setTimeout(unlock, 10000);
  });
  // Coming back with the browser's back button restores a usable form.
  window.addEventListener("pageshow", unlock);

  // Move focus to the error summary, so that it is read out first.
  const summary = document.querySelector(".error-summary");
  if (summary) {
    summary.setAttribute("tabindex", "-1");
    summary.focus();
  }

  // <button type="button" data-copy="#id" data-copied="Copied" hidden>Copy</button>
  // The clipboard only exists on https and localhost: else the button stays hidden.
  if (!navigator.clipboard) return;
  document.querySelectorAll("[data-copy]").forEach((button) => {
    const source = document.querySelector(button.dataset.copy);
    if (!source) return;
    const status = document.createElement("span");
    status.setAttribute("role", "status");
    status.className = "small";
    button.after(status);
    button.hidden = false;
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText((source.value ?? source.textContent).trim());
        status.textContent = button.dataset.copied || "Copied";
      } catch {
        getSelection().selectAllChildren(source);
      }
    });
  });
})();
