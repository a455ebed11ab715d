"use strict";
// A small viewer for one exported view; the studio's own page can do more.
const data = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);
const WORDS = {
  en: { gene: "Gene", layer: "Layer", opacity: "Opacity", other: "中文", measured: "measured", predicted: "predicted",
    residual: "residual (predicted - measured)", uncertainty: "width of interval", groups: "Groups",
    good: "can be trusted", weak: "weak evidence", none: "not to be trusted",
    help: "Drag to move, wheel or + and - to zoom, 0 for the whole slide." },
  zh: { gene: "基因", layer: "图层", opacity: "不透明度", other: "English", measured: "实测", predicted: "预测",
    residual: "残差（预测 − 实测）", uncertainty: "区间宽度", groups: "分组",
    good: "可信", weak: "证据薄弱", none: "不可信",
    help: "拖动以移动，滚轮或 + 与 - 缩放，0 显示整张切片。" },
};
let lang = navigator.language.startsWith("zh") ? "zh" : "en";
const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer;
const floats = (text) => new Float32Array(bytes(text));
const places = floats(data.places);
const n = places.length / 2;
// Viridis and a red-blue scale, as stops.
const VALUE = ["#440154", "#414487", "#2a788e", "#22a884", "#7ad151", "#fde725"];
const RESIDUAL = ["#2166ac", "#92c5de", "#f7f7f7", "#f4a582", "#b2182b"];
const part = (hex, k) => parseInt(hex.slice(1 + 2 * k, 3 + 2 * k), 16);
const colour = (stops, t) => {
  const at = Math.min(Math.max(t, 0), 1) * (stops.length - 1);
  const i = Math.min(Math.floor(at), stops.length - 2);
  return `rgb(${[0, 1, 2].map((k) => Math.round(part(stops[i], k) + (at - i) * (part(stops[i + 1], k) - part(stops[i], k)))).join()})`;
};
const canvas = $("view"), pen = canvas.getContext("2d");
const picture = new Image();
let shown = { values: null, stops: VALUE, low: 0, high: 1, codes: null, group: null };
let view = { x: 0, y: 0, scale: 1 };

function whole() {
  const scale = Math.min(canvas.clientWidth / data.width, canvas.clientHeight / data.height);
  view = { scale, x: (canvas.clientWidth - data.width * scale) / 2, y: (canvas.clientHeight - data.height * scale) / 2 };
}
function draw() {
  const ratio = window.devicePixelRatio || 1;
  canvas.width = canvas.clientWidth * ratio;
  canvas.height = canvas.clientHeight * ratio;
  pen.setTransform(ratio * view.scale, 0, 0, ratio * view.scale, ratio * view.x, ratio * view.y);
  if (data.picture) pen.drawImage(picture, 0, 0, data.width, data.height);
  pen.globalAlpha = Number($("opacity").value) / 100;
  const size = Math.max(data.size, 2 / view.scale);
  for (let i = 0; i < n; i++) {
    const fill = fillOf(i);
    if (!fill) continue;
    pen.fillStyle = fill;
    const x = places[2 * i], y = places[2 * i + 1];
    if (data.shape === "square") pen.fillRect(x - size / 2, y - size / 2, size, size);
    else { pen.beginPath(); pen.arc(x, y, size / 2, 0, 7); pen.fill(); }
  }
  pen.globalAlpha = 1;
  bar(ratio);
}
function fillOf(i) {
  if (shown.codes) return shown.group.colours[shown.codes[i]];
  if (!shown.values || !Number.isFinite(shown.values[i])) return null;
  return colour(shown.stops, (shown.values[i] - shown.low) / (shown.high - shown.low || 1));
}
function bar(ratio) {
  if (!data.umPerPx) return;
  const per = data.umPerPx / view.scale, most = (per * canvas.clientWidth) / 5;
  const power = 10 ** Math.floor(Math.log10(most)), um = [5, 2, 1].map((k) => k * power).find((k) => k <= most);
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  const y = canvas.clientHeight - 16;
  pen.fillStyle = "#ffffffcc"; pen.fillRect(10, y - 20, um / per + 12, 30);
  pen.fillStyle = "#000"; pen.fillRect(16, y, um / per, 4);
  pen.font = "13px system-ui"; pen.fillText(um < 1000 ? `${um} µm` : `${um / 1000} mm`, 16, y - 5);
}
function choose() {
  const word = WORDS[lang], name = $("gene").value;
  const group = data.groups.find((g) => `group:${g.key}` === name);
  $("key").replaceChildren();
  $("trust").hidden = true;
  $("layer").disabled = $("ramp").hidden = Boolean(group);
  if (group) {
    shown = { codes: new Uint16Array(bytes(group.codes)), group };
    $("unit").textContent = $("low").textContent = $("high").textContent = "";
    group.names.forEach((text, k) => {
      const line = document.createElement("li"), mark = document.createElement("i");
      mark.style.background = group.colours[k];
      line.append(mark, text);
      $("key").append(line);
    });
    return draw();
  }
  const gene = data.genes.find((g) => g.name === name);
  if (!gene) return draw();
  const old = $("layer").value, names = Object.keys(gene.layers);
  $("layer").replaceChildren(...names.map((k) => new Option(word[k], k)));
  $("layer").value = names.includes(old) ? old : names.includes(data.layer) ? data.layer : names[0];
  const layer = gene.layers[$("layer").value], values = floats(layer.values);
  const known = values.filter(Number.isFinite).sort(), at = (q) => known[Math.round(q * (known.length - 1))] ?? 0;
  let [low, high] = [at(0.01), at(0.99)];
  const residual = $("layer").value === "residual";
  if (residual) { high = Math.max(Math.abs(low), Math.abs(high)); low = -high; }
  shown = { values, stops: residual ? RESIDUAL : VALUE, low, high, codes: null };
  $("ramp").style.background = `linear-gradient(to right, ${shown.stops.join()})`;
  $("low").textContent = low.toPrecision(3);
  $("high").textContent = high.toPrecision(3);
  $("unit").textContent = layer.unit;
  if (gene.trust) {
    $("trust").hidden = false;
    $("trust").className = `flag ${gene.trust}`;
    $("trust").textContent = `${gene.name}: ${word[gene.trust]}. ${gene.reason}`;
  }
  draw();
}
function speak() {
  document.documentElement.lang = lang;
  for (const part of document.querySelectorAll("[data-word]")) part.textContent = WORDS[lang][part.dataset.word];
  $("language").textContent = WORDS[lang].other;
  choose();
}
function zoom(factor, x = canvas.clientWidth / 2, y = canvas.clientHeight / 2) {
  view = { scale: view.scale * factor, x: x - (x - view.x) * factor, y: y - (y - view.y) * factor };
  draw();
}
const groups = document.createElement("optgroup");
groups.label = WORDS[lang].groups;
groups.append(...data.groups.map((g) => new Option(g.key, `group:${g.key}`)));
$("gene").append(...data.genes.map((g) => new Option(g.name, g.name)), ...(data.groups.length ? [groups] : []));
for (const id of ["gene", "layer"]) $(id).addEventListener("change", choose);
$("opacity").addEventListener("input", draw);
$("language").addEventListener("click", () => { lang = lang === "en" ? "zh" : "en"; speak(); });
canvas.addEventListener("wheel", (e) => { e.preventDefault(); zoom(1.0015 ** -e.deltaY, e.offsetX, e.offsetY); }, { passive: false });
canvas.addEventListener("keydown", (e) => {
  const step = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] }[e.key];
  if (step) { view.x += step[0]; view.y += step[1]; draw(); e.preventDefault(); }
  else if (e.key === "+" || e.key === "=") zoom(1.4);
  else if (e.key === "-") zoom(1 / 1.4);
  else if (e.key === "0") { whole(); draw(); }
});
canvas.addEventListener("pointermove", (e) => {
  if (e.buttons & 1) { view.x += e.movementX; view.y += e.movementY; draw(); return; }
  const x = (e.offsetX - view.x) / view.scale, y = (e.offsetY - view.y) / view.scale;
  let best = -1, near = (data.size / 2) ** 2;
  for (let i = 0; i < n; i++) {
    const d = (places[2 * i] - x) ** 2 + (places[2 * i + 1] - y) ** 2;
    if (d <= near) { near = d; best = i; }
  }
  const value = best < 0 ? "" : shown.codes ? shown.group.names[shown.codes[best]] : shown.values?.[best]?.toPrecision(4);
  $("under").textContent = value ?? "";
});
canvas.addEventListener("pointerdown", (e) => canvas.setPointerCapture(e.pointerId));
window.addEventListener("resize", () => { whole(); draw(); });
picture.onload = draw;
if (data.picture) picture.src = data.picture;
whole();
speak();
