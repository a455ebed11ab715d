/** The current view as a figure: tissue, observations, scale bar, title and legend, in one SVG; PNG is that SVG drawn. */

import type { ItemDetail } from "../types";
import { colourAt, type MapName } from "./colourmaps";
import type { Look } from "./layer";
import { visible } from "./layer";
import type { Scale } from "./looks";
import { degrees, toStage, type Frame } from "./plane";
import { scaleBar } from "./scalebar";
import type { Placement } from "./spatial";
import { tissueOf } from "./tissue";
import { position, short, ticks } from "./values";

/** One drawing of a panel; a swiped panel has two. */
export interface FigurePart {
  item: ItemDetail;
  frame: Frame;
  title: string;
  values: ArrayLike<number> | null;
  look: Look | null;
  placement: Placement | null;
  legend: { scale: Scale; title: string } | { names: readonly string[]; colours: readonly string[]; title: string } | null;
}

export interface Figure {
  title: string;
  note: string;
  parts: readonly FigurePart[];
  /** Observations of the whole stage at 2 px per CSS px; used where shapes would be too many. */
  raster: HTMLCanvasElement | null;
}

/** Up to here observations are shapes that can be edited; beyond, they are one picture. */
export const SHAPES_MAX = 20_000;
export const FIGURE_RATIO = 2;
const HEAD = 46;
const FOOT = 58;
const PAD = 16;
const FONT = "font-family='Inter, Helvetica, Arial, Noto Sans CJK SC, Microsoft YaHei, sans-serif'";

export async function figureSvg(figure: Figure): Promise<string> {
  const boxes = figure.parts.map((part) => part.frame.box);
  const left = Math.min(...boxes.map((box) => box.x));
  const rows = [...new Set(boxes.map((box) => box.y))].sort((a, b) => a - b);
  const width = Math.max(...boxes.map((box) => box.x + box.width)) - left + 2 * PAD;
  const bottom = Math.max(...boxes.map((box) => box.y + box.height));
  const height = HEAD + bottom - (rows[0] ?? 0) + rows.length * FOOT;
  const bodies = await Promise.all(
    figure.parts.map(async (part, k) => {
      const { box, clip } = part.frame;
      const row = rows.indexOf(box.y);
      const x = PAD + box.x - left;
      const y = HEAD + box.y - (rows[0] ?? 0) + row * FOOT;
      const at = figure.parts.filter((other) => other.frame.box.x === box.x && other.frame.box.y === box.y);
      const slot = box.width / at.length;
      const first = at[0] === part;
      return (
        (await panel(part, x, y, k, figure.raster, first)) +
        legend(part, x + at.indexOf(part) * slot, y + box.height + 12, Math.min(slot - 16, 300), k) +
        label(part.title, x + 10 + clip.x - box.x, y + 20)
      );
    }),
  );
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${f(width)}" height="${f(height)}" viewBox="0 0 ${f(width)} ${f(height)}" ${FONT}>` +
    `<rect width="100%" height="100%" fill="#fff"/>` +
    `<text x="${PAD}" y="22" font-size="15" font-weight="600" fill="#111">${escape(figure.title)}</text>` +
    `<text x="${PAD}" y="37" font-size="10" fill="#555">${escape(figure.note)}</text>` +
    `${bodies.join("")}</svg>`
  );
}

/** Draw an SVG at `ratio` px per CSS px. */
export async function pngOf(svg: string, ratio: number): Promise<Blob> {
  const url = URL.createObjectURL(new Blob([svg], { type: "image/svg+xml" }));
  try {
    const image = new Image();
    image.src = url;
    await image.decode();
    const canvas = document.createElement("canvas");
    canvas.width = Math.round(image.width * ratio);
    canvas.height = Math.round(image.height * ratio);
    canvas.getContext("2d")?.drawImage(image, 0, 0, canvas.width, canvas.height);
    return await new Promise((resolve, reject) =>
      canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("the picture is too large for this browser")))),
    );
  } finally {
    URL.revokeObjectURL(url);
  }
}

async function panel(part: FigurePart, x: number, y: number, k: number, raster: HTMLCanvasElement | null, first: boolean): Promise<string> {
  const { frame, item } = part;
  const { box, clip } = frame;
  const tissue = first ? await tissueOf(item, frame, FIGURE_RATIO) : null;
  const image = (href: string, at: typeof box) =>
    `<image x="${f(at.x - box.x)}" y="${f(at.y - box.y)}" width="${f(at.width)}" height="${f(at.height)}" href="${href}"/>`;
  const marks = raster ? image(crop(raster, clip), clip) : shapes(part);
  const bar = scaleBar(frame.scale, item.mpp, box.width);
  const right = box.width - 14;
  const foot = box.height - 14;
  const scale =
    `<g stroke-linejoin="round"><path d="M${f(right - bar.width)} ${foot - 5}v5h${f(bar.width)}v-5" fill="none" stroke="#fff" stroke-width="5"/>` +
    `<path d="M${f(right - bar.width)} ${foot - 5}v5h${f(bar.width)}v-5" fill="none" stroke="#111" stroke-width="2"/>` +
    `<text x="${f(right - bar.width / 2)}" y="${foot - 9}" text-anchor="middle" font-size="12" font-weight="600" fill="#111" stroke="#fff" stroke-width="3" paint-order="stroke">${bar.label}</text></g>`;
  return (
    `<clipPath id="c${k}"><rect x="${f(clip.x - box.x)}" width="${f(clip.width)}" height="${f(box.height)}"/></clipPath>` +
    `<g transform="translate(${f(x)} ${f(y)})">` +
    (tissue ? image(tissue.toDataURL("image/jpeg", 0.9), box) : "") +
    `<g clip-path="url(#c${k})">${marks}</g>` +
    (first ? scale + `<rect width="${f(box.width)}" height="${f(box.height)}" fill="none" stroke="#bbb"/>` : "") +
    "</g>"
  );
}

function shapes(part: FigurePart): string {
  const { frame, item, placement, values, look } = part;
  if (!placement || !values || !look || !item.observations) {
    return "";
  }
  const { size_px: size, shape } = item.observations;
  const { box } = frame;
  const half = (size * frame.scale) / 2;
  const turn = degrees(frame.turn);
  const out: string[] = [`<g fill-opacity="${look.opacity}">`];
  const runs = placement.runs(visible(frame, size));
  for (let r = 0; r < runs.length; r++) {
    const first = runs.first[r] as number;
    for (let place = first; place < first + (runs.count[r] as number); place++) {
      const observation = placement.order[place] as number;
      const value = values[observation] as number;
      if (!Number.isFinite(value)) {
        continue;
      }
      const [cx, cy] = toStage(frame, placement.centre(observation));
      const fill = colourOf(look, value);
      out.push(
        shape === "square"
          ? `<rect x="${f(cx - box.x - half)}" y="${f(cy - box.y - half)}" width="${f(2 * half)}" height="${f(2 * half)}" fill="${fill}"${turn ? ` transform="rotate(${f(turn)} ${f(cx - box.x)} ${f(cy - box.y)})"` : ""}/>`
          : `<circle cx="${f(cx - box.x)}" cy="${f(cy - box.y)}" r="${f(half)}" fill="${fill}"/>`,
      );
    }
  }
  return `${out.join("")}</g>`;
}

function colourOf(look: Look, value: number): string {
  const at = look.mode === "category" ? value : Math.round(255 * Math.min(1, Math.max(0, position(value, look.span, look.log > 0))));
  const [r, g, b] = look.colours.subarray(4 * at, 4 * at + 3);
  return `#${[r, g, b].map((v) => (v ?? 0).toString(16).padStart(2, "0")).join("")}`;
}

function legend(part: FigurePart, x: number, y: number, width: number, k: number): string {
  if (!part.legend) {
    return "";
  }
  if ("names" in part.legend) {
    const { names, colours } = part.legend;
    const column = 120;
    const columns = Math.max(1, Math.floor((part.frame.box.width - 16) / column));
    return names
      .slice(0, 3 * columns)
      .map((name, i) => {
        const [cx, cy] = [x + (i % columns) * column, y + 13 * Math.floor(i / columns)];
        return `<rect x="${f(cx)}" y="${f(cy)}" width="9" height="9" rx="2" fill="${colours[i]}"/><text x="${f(cx + 14)}" y="${f(cy + 8.5)}" font-size="10" fill="#222">${escape(name.slice(0, 18))}</text>`;
      })
      .join("");
  }
  const { scale, title } = part.legend;
  const marks = ticks(scale.span, 5)
    .map((value) => {
      const at = x + width * position(value, scale.span, scale.log);
      return `<path d="M${f(at)} ${f(y + 25)}v4" stroke="#333"/><text x="${f(at)}" y="${f(y + 39)}" text-anchor="middle" font-size="10" fill="#222">${short(value)}</text>`;
    })
    .join("");
  return (
    `<linearGradient id="g${k}">${stops(scale.map)}</linearGradient>` +
    `<text x="${f(x)}" y="${f(y + 9)}" font-size="11" fill="#111"><tspan font-weight="600">${escape(title)}</tspan> <tspan fill="#555">${escape(scale.unit)}</tspan></text>` +
    `<rect x="${f(x)}" y="${f(y + 14)}" width="${f(width)}" height="11" fill="url(#g${k})"/>${marks}`
  );
}

const stops = (map: MapName) =>
  Array.from({ length: 17 }, (_, k) => `<stop offset="${k / 16}" stop-color="${colourAt(map, k / 16)}"/>`).join("");

const label = (text: string, x: number, y: number) =>
  `<text x="${f(x)}" y="${f(y)}" font-size="12" font-weight="600" fill="#111" stroke="#fff" stroke-width="3" paint-order="stroke">${escape(text)}</text>`;

function crop(raster: HTMLCanvasElement, box: Frame["box"]): string {
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(box.width * FIGURE_RATIO));
  canvas.height = Math.max(1, Math.round(box.height * FIGURE_RATIO));
  canvas.getContext("2d")?.drawImage(raster, -box.x * FIGURE_RATIO, -box.y * FIGURE_RATIO);
  return canvas.toDataURL("image/png");
}

const f = (value: number) => String(Math.round(100 * value) / 100);

const ESCAPES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
const escape = (text: string) => text.replace(/[&<>"]/g, (c) => ESCAPES[c] as string);
