// A pad for the PIN, under the thumb; and the wait after wrong ones, counted down.
"use strict";

(() => {
  const pin = document.getElementById("pin"), pad = document.querySelector(".pad");
  if (pin && pad) {
    pad.hidden = false;
    document.querySelector(".without-pad").hidden = true;
    if (matchMedia("(pointer: coarse)").matches) pin.inputMode = "none";
    for (const key of pad.querySelectorAll("[data-digit]")) {
      key.addEventListener("click", () => { pin.value += key.dataset.digit; });
    }
    pad.querySelector("[data-erase]").addEventListener("click", () => { pin.value = pin.value.slice(0, -1); });
  }
  const wait = document.querySelector("[data-wait]");
  if (wait) {
    const until = Date.now() + wait.dataset.wait * 1000;
    const tick = setInterval(() => {
      const left = Math.max(0, Math.ceil((until - Date.now()) / 1000));
      wait.textContent = left ? wait.dataset.words.replace("{n}", left) : "";
      if (!left) clearInterval(tick);
    }, 500);
  }
})();
