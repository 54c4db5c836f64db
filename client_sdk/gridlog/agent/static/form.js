// A form saves each field that was touched: while typing stops, when it is left, when the page goes away.
"use strict";

(() => {
  const form = document.getElementById("draft");
  const said = document.querySelector("#saved span"), line = document.getElementById("saved");
  // Not `form.action`: a button of that name hides it.
  const address = form.getAttribute("action");
  const waiting = new Set();
  let timer = 0, saving = Promise.resolve(true), isLeaving = false;
  const PAUSE_MS = 400;

  const fieldOf = (element) => element.closest("[data-field]");

  function content(names) {
    const all = new FormData(form), sent = new URLSearchParams();
    for (const name of names) {
      sent.append("field", name);
      for (const [key, value] of all) {
        if (key === name || key.startsWith(`${name}.`) || key.startsWith(`${name}:`)) sent.append(key, value);
      }
    }
    sent.append("action", "save");
    return sent;
  }

  function tell(words, isBad) {
    said.textContent = words;
    line.classList.toggle("unsaved", isBad);
  }

  function showFaults(names, faults) {
    for (const name of names) {
      const field = document.getElementById(`field-${name}`), fault = document.getElementById(`c-${name}-fault`);
      const isWrong = name in faults;
      field.classList.toggle("wrong", isWrong);
      fault.hidden = !isWrong;
      fault.textContent = faults[name] ?? "";
    }
  }

  async function save() {
    clearTimeout(timer);
    if (!waiting.size) return true;
    const names = [...waiting];
    waiting.clear();
    tell(form.dataset.saving, false);
    const answer = await Gridlog.post(address, content(names)).catch(() => null);
    if (!answer || !answer.ok) {
      names.forEach((name) => waiting.add(name));
      const told = answer?.status === 409 ? (await answer.json().catch(() => ({}))).fault : null;
      tell(told ?? form.dataset.unsaved, true);
      return false;
    }
    const { is_locked: isLocked, faults } = await answer.json();
    showFaults(names, faults);
    const clock = new Date().toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
    if (!waiting.size) tell(isLocked ? form.dataset.sealed : `${form.dataset.saved} ${clock}`, false);
    return true;
  }

  // One after another, so that an older save never lands on a newer one.
  const flush = () => (saving = saving.then(save, save));

  function touched(event) {
    const field = fieldOf(event.target);
    if (!field || event.target.type === "file") return;
    waiting.add(field.dataset.field);
    tell(form.dataset.saving, false);
    clearTimeout(timer);
    timer = setTimeout(flush, event.type === "change" ? 0 : PAUSE_MS);
    const limit = event.target.dataset.characters;
    if (limit) {
      const left = limit - [...event.target.value].length;
      if (left < 50) tell(form.dataset.left.replace("{n}", left), left < 0);
    }
  }

  // What the phone never answers for is tried again for as long as the page is open.
  setInterval(() => { if (waiting.size && !isLeaving) flush(); }, 3000);
  form.addEventListener("input", touched);
  form.addEventListener("change", touched);
  form.addEventListener("focusout", () => { if (waiting.size) flush(); });
  form.addEventListener("submit", () => { isLeaving = true; waiting.clear(); clearTimeout(timer); });
  form.addEventListener("keydown", (event) => {
    // Enter on a phone's keyboard goes on; it must not finish the form.
    if (event.key === "Enter" && event.target.matches("input")) { event.preventDefault(); flush(); }
  });
  const leave = () => {
    if (!waiting.size || isLeaving) return;
    const sent = content([...waiting]);
    fetch(address, {
      method: "POST", body: sent, keepalive: true, credentials: "same-origin",
      headers: { "X-Gridlog-Csrf": form.elements.csrf.value },
    }).catch(() => null);
  };
  addEventListener("pagehide", leave);
  document.addEventListener("visibilitychange", () => { if (document.visibilityState === "hidden") flush(); });
  addEventListener("beforeunload", (event) => { if (waiting.size && !isLeaving && line.classList.contains("unsaved")) event.preventDefault(); });
  Gridlog.beforeLock = async () => { await flush(); return waiting.size === 0; };
  Gridlog.afterUnlock = async () => { await flush(); if (!waiting.size) location.reload(); };

  for (const button of document.querySelectorAll("[data-locate]")) {
    if (!navigator.geolocation) continue;
    button.hidden = false;
    button.addEventListener("click", () => navigator.geolocation.getCurrentPosition(({ coords }) => {
      const input = document.getElementById(button.dataset.locate);
      input.value = `${coords.latitude.toFixed(5)}, ${coords.longitude.toFixed(5)}`;
      input.dispatchEvent(new Event("change", { bubbles: true }));
    }, () => null, { enableHighAccuracy: true, timeout: 20000 }));
  }
  document.getElementById("faults")?.focus();
})();
