// A picture of a QR code becomes grey pixels here; the phone reads them. The picture itself goes nowhere.
"use strict";

(() => {
  const picture = document.getElementById("picture"), said = document.getElementById("picture-said");
  document.querySelector(".pictures").hidden = false;
  const EDGE_MAX = 1600;

  picture.addEventListener("change", async () => {
    const image = await createImageBitmap(picture.files[0]).catch(() => null);
    picture.value = "";
    if (!image) { said.textContent = said.dataset.none; return; }
    const scale = Math.min(1, EDGE_MAX / Math.max(image.width, image.height));
    const width = Math.max(1, Math.round(image.width * scale)), height = Math.max(1, Math.round(image.height * scale));
    const canvas = new OffscreenCanvas(width, height), pen = canvas.getContext("2d");
    pen.fillStyle = "#fff";
    pen.fillRect(0, 0, width, height);
    pen.drawImage(image, 0, 0, width, height);
    const { data } = pen.getImageData(0, 0, width, height), grey = new Uint8Array(width * height);
    for (let at = 0; at < grey.length; at += 1) {
      grey[at] = (data[4 * at] * 77 + data[4 * at + 1] * 150 + data[4 * at + 2] * 29) >> 8;
    }
    const address = `/begin/picture?width=${width}&height=${height}`;
    const answer = await Gridlog.post(address, grey, "application/octet-stream").catch(() => null);
    const { code } = answer?.ok ? await answer.json() : { code: "" };
    said.textContent = code ? said.dataset.found : said.dataset.none;
    if (code) document.getElementById("code").value = code;
  });
})();
