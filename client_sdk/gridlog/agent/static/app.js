// What every page does: show news, follow the lock, tell the phone that somebody is there. Nothing is stored here.
"use strict";

const Gridlog = (() => {
  let token = document.querySelector("meta[name=csrf]").content;
  const body = document.body;
  const isOpen = "open" in body.dataset;
  const TOUCH_MS = 15000;
  let touched = Date.now();
  let isCovered = false;

  const send = (address, content, type) => fetch(address, {
    method: "POST",
    body: content,
    redirect: "manual",
    credentials: "same-origin",
    headers: { "X-Gridlog-Csrf": token, ...(type ? { "Content-Type": type } : {}) },
  });

  // A page that outlived the app goes on once this browser was let in again: only the token is another.
  async function renewed() {
    const answer = await fetch("/unlock", { credentials: "same-origin" }).catch(() => null);
    const page = answer?.ok ? new DOMParser().parseFromString(await answer.text(), "text/html") : null;
    const found = page?.querySelector("meta[name=csrf]")?.content;
    if (!found || found === token) return false;
    token = found;
    document.querySelectorAll("input[name=csrf]").forEach((each) => { each.value = found; });
    return true;
  }

  async function post(address, content, type) {
    const answer = await send(address, content, type);
    return answer.status === 403 && (await renewed()) ? send(address, content, type) : answer;
  }

  const showAway = (isAway) => { document.getElementById("away").hidden = !isAway; };

  // Pages that hold something unsaved, or measure, stay; nothing of them can be seen until the phone is unlocked.
  async function locked() {
    if (isCovered) return;
    const stays = "stays" in body.dataset || (Gridlog.beforeLock && !(await Gridlog.beforeLock()));
    if (!stays) {
      document.getElementById("main").replaceChildren();
      const back = location.pathname === "/" ? "" : `?next=${location.pathname}`;
      location.replace(`/unlock${back}`);
      return;
    }
    isCovered = true;
    body.classList.add("covered");
    document.getElementById("cover").hidden = false;
    document.getElementById("cover-pin").focus();
  }

  async function unlock(event) {
    event.preventDefault();
    const form = event.target, fault = form.querySelector(".fault");
    await renewed();
    const answer = await post("/unlock", new URLSearchParams(new FormData(form))).catch(() => null);
    form.querySelectorAll("input[type=password]").forEach((each) => { each.value = ""; });
    if (answer && answer.type === "opaqueredirect") {
      isCovered = false;
      body.classList.remove("covered");
      document.getElementById("cover").hidden = true;
      if (Gridlog.afterUnlock) Gridlog.afterUnlock(); else location.reload();
      return;
    }
    const page = answer && new DOMParser().parseFromString(await answer.text(), "text/html");
    fault.textContent = page?.querySelector(".fault")?.textContent ?? document.getElementById("away").textContent;
    fault.hidden = false;
  }

  async function refresh() {
    for (const part of document.querySelectorAll("[data-live]")) {
      if (part.contains(document.activeElement) && document.activeElement.matches("input, textarea, select")) continue;
      const answer = await fetch(part.dataset.live, { credentials: "same-origin", redirect: "manual" }).catch(() => null);
      if (!answer || !answer.ok) continue;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const focused = part.contains(document.activeElement) ? document.activeElement.className : "";
      part.replaceChildren(...page.body.childNodes);
      if (focused) part.querySelector(`.${focused.split(" ")[0]}`)?.focus();
    }
  }

  function listen() {
    const channel = new EventSource("/live");
    let known = Number(body.dataset.number);
    channel.onmessage = (event) => {
      showAway(false);
      const said = JSON.parse(event.data);
      if (said.phase !== "open") { locked(); return; }
      if (said.number !== known) { known = said.number; if (!isCovered) refresh(); }
    };
    channel.onerror = () => {
      setTimeout(() => showAway(channel.readyState !== EventSource.OPEN), 3000);
      if (channel.readyState === EventSource.CLOSED) setTimeout(listen, 3000);
    };
    addEventListener("pagehide", () => channel.close());
  }

  function touch() {
    if (isCovered || Date.now() - touched < TOUCH_MS) return;
    touched = Date.now();
    post("/touch", "").catch(() => null);
  }

  // A page that comes back from the browser's memory is asked for again: the phone may be locked.
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
  if (isOpen) {
    for (const kind of ["pointerdown", "keydown", "scroll"]) addEventListener(kind, touch, { passive: true });
    document.querySelector("#cover form").addEventListener("submit", unlock);
    listen();
  }
  return { post, beforeLock: null, afterUnlock: null };
})();
