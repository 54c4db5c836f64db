// Measure where the phone is while a patrol is walked, read a GPX file, and end by a long press.
"use strict";

(() => {
  const track = document.getElementById("track"), said = document.getElementById("measuring");
  const isPaused = "paused" in track.dataset;
  const waiting = [];
  let isSending = false;
  const EVERY_MS = 20000, HOLD_MS = 1200, WAITING_MAX = 2000;
  let last = 0;

  async function send() {
    if (isSending) return;
    isSending = true;
    while (waiting.length) {
      const answer = await Gridlog.post(track.dataset.fix, JSON.stringify(waiting[0]), "application/json").catch(() => null);
      // Without an answer it is kept in this page, and sent with the next one.
      if (!answer || answer.status === 423 || answer.status >= 500) break;
      waiting.shift();
    }
    isSending = false;
  }

  function measured({ coords, timestamp }) {
    said.textContent = said.dataset.on;
    if (timestamp - last < EVERY_MS) return;
    last = timestamp;
    waiting.push({ latitude: coords.latitude, longitude: coords.longitude, accuracy_m: coords.accuracy, at_ms: Math.round(timestamp) });
    if (waiting.length > WAITING_MAX) waiting.shift();
    send();
  }

  if (isPaused) {
    said.textContent = said.dataset.paused;
  } else if (navigator.geolocation) {
    navigator.geolocation.watchPosition(measured, () => { said.textContent = said.dataset.off; }, { enableHighAccuracy: true, maximumAge: 5000 });
    // A phone that says its place seldom still says it.
    setInterval(() => navigator.geolocation.getCurrentPosition(measured, () => null, { enableHighAccuracy: true, maximumAge: 5000 }), EVERY_MS);
    navigator.wakeLock?.request("screen").catch(() => null);
  } else {
    said.textContent = said.dataset.off;
  }

  const gpx = document.getElementById("gpx"), told = document.getElementById("gpx-said");
  gpx.addEventListener("change", async () => {
    const answer = await Gridlog.post(track.dataset.gpx, gpx.files[0], "application/gpx+xml").catch(() => null);
    gpx.value = "";
    const { fixes, fault } = answer ? await answer.json().catch(() => ({})) : {};
    told.textContent = fault ?? told.dataset.done.replace("{n}", fixes ?? 0);
  });

  const form = document.getElementById("end"), hold = form.querySelector(".hold");
  const words = hold.textContent;
  let timer = 0;
  hold.hidden = false;
  const begin = () => {
    hold.classList.add("held");
    hold.textContent = hold.dataset.holding;
    timer = setTimeout(() => form.requestSubmit(), HOLD_MS);
  };
  const stop = () => {
    clearTimeout(timer);
    hold.classList.remove("held");
    hold.textContent = words;
  };
  hold.addEventListener("pointerdown", begin);
  for (const kind of ["pointerup", "pointerleave", "pointercancel"]) hold.addEventListener(kind, stop);
  hold.addEventListener("contextmenu", (event) => event.preventDefault());
  // Keys and screen readers cannot hold: the fold below asks once instead.
  hold.addEventListener("click", (event) => { if (event.detail === 0) { form.querySelector("details").open = true; form.querySelector("details button").focus(); } });
  Gridlog.afterUnlock = () => location.reload();
})();
