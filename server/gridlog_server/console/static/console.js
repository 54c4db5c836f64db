// What pages cannot do without a script: maps, keys, and small comforts. Everything else works without it.
(function () {
  "use strict";
  var KEYS = "gridlog-keys";

  function wantsKeys() {
    try { return window.localStorage.getItem(KEYS) !== "off"; } catch (_) { return true; }
  }

  // Letters as shortcuts, which can be switched off (WCAG 2.1.4). An element says its own: data-key="a".
  document.addEventListener("keydown", function (event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) { return; }
    var at = event.target;
    var isTyping = at.closest && at.closest("input, textarea, select, [contenteditable]");
    if (event.key === "Escape") {
      if (isTyping) { at.blur(); }
      document.querySelectorAll("details.console-menu[open]").forEach(function (menu) { menu.open = false; });
      return;
    }
    if (isTyping || !wantsKeys()) { return; }
    var wanted = document.querySelector('[data-key="' + CSS.escape(event.key.toLowerCase()) + '"]');
    if (!wanted || wanted.disabled) { return; }
    event.preventDefault();
    if (wanted.matches("input, textarea, select")) { wanted.focus(); } else { wanted.click(); }
  });

  document.addEventListener("click", function (event) {
    var theme = event.target.closest("[data-theme]");
    if (theme) { window.gridlogTheme.choose(theme.dataset.theme); }
    var keys = event.target.closest("[data-keys]");
    if (keys) {
      try { window.localStorage.setItem(KEYS, wantsKeys() ? "off" : "on"); } catch (_) { /* Then they stay on. */ }
      showKeys();
    }
    var opener = event.target.closest("[data-opens]");
    if (opener) {
      var opened = document.getElementById(opener.dataset.opens);
      if (opened) {
        opened.hidden = false;
        opener.setAttribute("aria-expanded", "true");
        var first = opened.querySelector("textarea, input:not([type=hidden])");
        if (first) { first.focus(); }
        opened.scrollIntoView({ block: "nearest" });
      }
    }
    document.querySelectorAll("details.console-menu[open]").forEach(function (menu) {
      if (!menu.contains(event.target)) { menu.open = false; }
    });
  });

  function showKeys() {
    document.documentElement.toggleAttribute("data-no-keys", !wantsKeys());
    document.querySelectorAll("[data-keys]").forEach(function (button) {
      button.setAttribute("aria-pressed", String(wantsKeys()));
    });
  }

  // A form that was sent is not sent again by an impatient finger.
  document.addEventListener("submit", function (event) {
    if (event.target.dataset.sent) { event.preventDefault(); return; }
    if (event.target.method === "post") { event.target.dataset.sent = "yes"; }
  });
  window.addEventListener("pageshow", function () {
    document.querySelectorAll("form[data-sent]").forEach(function (form) { delete form.dataset.sent; });
  });

  // Filters take effect when they are chosen.
  document.addEventListener("change", function (event) {
    var form = event.target.form;
    if (form && form.matches("[data-at-once]") && event.target.matches("select, input[type=checkbox]")) {
      form.requestSubmit();
    }
  });

  // A grid that was found and chosen stays, whatever is looked for next.
  document.addEventListener("change", function (event) {
    var box = event.target.closest("#grid-found .form-check");
    if (box) {
      document.getElementById("grid-chosen").append(box);
      document.getElementById("grid-found").replaceChildren();
      var search = document.getElementById("more-grids");
      search.value = "";
      search.focus();
    }
  });

  // A session that ended while a page was open: the whole page goes to the door, not a part of it.
  document.addEventListener("htmx:responseError", function (event) {
    if (event.detail.xhr.status === 401) { window.location.reload(); }
  });

  // Whoever writes a version of his own means to use it.
  document.addEventListener("input", function (event) {
    var picked = event.target.dataset && document.getElementById(event.target.dataset.picks || "");
    if (picked) { picked.checked = true; }
  });

  var leaflet = null;
  function loadLeaflet() {
    if (!leaflet) {
      leaflet = new Promise(function (resolve, reject) {
        var style = document.createElement("link");
        style.rel = "stylesheet";
        style.href = document.body.dataset.leafletStyle;
        document.head.append(style);
        var script = document.createElement("script");
        script.src = document.body.dataset.leafletScript;
        script.onload = function () { resolve(window.L); };
        script.onerror = reject;
        document.head.append(script);
      });
    }
    return leaflet;
  }

  function step(span) {
    var raw = span / 4;
    var power = Math.pow(10, Math.floor(Math.log10(raw)));
    return [1, 2, 5, 10].map(function (n) { return n * power; }).find(function (n) { return n >= raw; });
  }

  // No tiles and no internet: a net of coordinates, a scale, and what was walked. A gap is drawn as a gap.
  function draw(L, box, places) {
    var css = getComputedStyle(document.documentElement);
    var ink = css.getPropertyValue("--console-map-ink").trim() || "#0b5e57";
    var faint = css.getPropertyValue("--console-map-line").trim() || "#d5d8dc";
    var map = L.map(box, { attributionControl: false, zoomControl: true, preferCanvas: false, keyboard: true });
    var shown = L.featureGroup();
    places.lines.forEach(function (line) {
      L.polyline(line, { color: ink, weight: 4, opacity: 0.9 }).addTo(shown);
    });
    places.gaps.forEach(function (gap) {
      L.polyline(gap, { color: ink, weight: 2, opacity: 0.6, dashArray: "2 8" }).addTo(shown);
    });
    places.points.forEach(function (point) {
      L.circleMarker(point.at, { radius: 7, color: "#fff", weight: 2, fillColor: ink, fillOpacity: 1 })
        .bindTooltip(document.createTextNode(point.label).textContent.replace(/[&<>]/g, function (c) {
          return { "&": "&amp;", "<": "&lt;", ">": "&gt;" }[c];
        })).addTo(shown);
    });
    shown.addTo(map);
    map.fitBounds(shown.getBounds().pad(0.25), { maxZoom: 17 });
    L.control.scale({ imperial: false }).addTo(map);
    var net = L.layerGroup().addTo(map);
    function redraw() {
      net.clearLayers();
      var b = map.getBounds(), s = step(b.getEast() - b.getWest()), at;
      function label(text, place) {
        L.marker(place, { interactive: false, keyboard: false, icon: L.divIcon({ className: "console-map-label", html: text, iconSize: null }) }).addTo(net);
      }
      for (at = Math.ceil(b.getWest() / s) * s; at < b.getEast(); at += s) {
        L.polyline([[b.getSouth(), at], [b.getNorth(), at]], { color: faint, weight: 1, interactive: false }).addTo(net);
        label(at.toFixed(4) + "°", [b.getNorth(), at]);
      }
      for (at = Math.ceil(b.getSouth() / s) * s; at < b.getNorth(); at += s) {
        L.polyline([[at, b.getWest()], [at, b.getEast()]], { color: faint, weight: 1, interactive: false }).addTo(net);
        label(at.toFixed(4) + "°", [at, b.getWest()]);
      }
      net.eachLayer(function (layer) { if (layer.bringToBack) { layer.bringToBack(); } });
    }
    map.on("moveend", redraw);
    redraw();
  }

  function maps() {
    document.querySelectorAll("[data-map]").forEach(function (box) {
      Promise.all([loadLeaflet(), fetch(box.dataset.map, { credentials: "same-origin" }).then(function (a) { return a.json(); })])
        .then(function (both) { draw(both[0], box, both[1]); });
    });
  }

  document.addEventListener("DOMContentLoaded", function () {
    window.gridlogTheme.apply();
    showKeys();
    maps();
  });
})();
