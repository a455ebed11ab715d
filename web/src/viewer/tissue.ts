/** The tissue of a view on a canvas of any resolution, from the tiles of the level that suits it: for figures. */

import type { ItemDetail } from "../types";
import { steps, tileUrl, type Step } from "./levels";
import { visible } from "./layer";
import { toStage, type Frame } from "./plane";

/** A figure never asks for more tiles than this; a coarser level serves instead. */
const MOST_TILES = 96;

/** Draw what a frame shows at `ratio` px per CSS px; white where the slide ends. */
export async function tissueOf(item: ItemDetail, frame: Frame, ratio: number): Promise<HTMLCanvasElement | null> {
  const { slide } = item;
  if (!slide) {
    return null;
  }
  const { box, scale, turn } = frame;
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(box.width * ratio);
  canvas.height = Math.round(box.height * ratio);
  const context = canvas.getContext("2d") as CanvasRenderingContext2D;
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = "high";
  const { x0: left, y0: top, x1: right, y1: bottom } = visible({ ...frame, clip: box }, 0);
  // From level-0 px of the slide, about its corner, to px of the canvas.
  const [x0, y0] = toStage(frame, [left, top]);
  const [cos, sin] = [turn[0] * ratio, turn[1] * ratio];
  context.setTransform(cos, sin, -sin, cos, (x0 - box.x) * ratio, (y0 - box.y) * ratio);
  const tilesOf = (step: Step) => ({
    columns: span(left, right, step.tileWidth * step.downsample, Math.ceil(step.width / step.tileWidth)),
    rows: span(top, bottom, step.tileHeight * step.downsample, Math.ceil(step.height / step.tileHeight)),
  });
  const pyramid = steps(slide);
  const wanted = pyramid.findIndex((step) => step.downsample * scale * ratio <= 1.01);
  let at = wanted < 0 ? pyramid.length - 1 : wanted;
  let tiles = tilesOf(pyramid[at] as Step);
  while (at > 0 && tiles.columns.length * tiles.rows.length > MOST_TILES) {
    tiles = tilesOf(pyramid[--at] as Step);
  }
  const step = pyramid[at] as Step;
  const to = step.downsample * scale;
  const paint = async (x: number, y: number) => {
    const image = await load(tileUrl(item, step, x, y));
    const w = Math.min(step.tileWidth, step.width - x * step.tileWidth);
    const h = Math.min(step.tileHeight, step.height - y * step.tileHeight);
    const toX = (x * step.tileWidth * step.downsample - left) * scale;
    const toY = (y * step.tileHeight * step.downsample - top) * scale;
    // Half a pixel more than exact, or neighbouring tiles show a seam.
    context.drawImage(image, 0, 0, w, h, toX, toY, w * to + 0.5 / ratio, h * to + 0.5 / ratio);
  };
  await Promise.all(tiles.columns.flatMap((x) => tiles.rows.map((y) => paint(x, y))));
  return canvas;
}

function span(low: number, high: number, size: number, count: number): number[] {
  const first = Math.max(0, Math.floor(low / size));
  const last = Math.min(count - 1, Math.floor(high / size));
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, k) => first + k);
}

function load(url: string): Promise<HTMLImageElement> {
  return new Promise((resolve, reject) => {
    const image = new Image();
    image.onload = () => resolve(image);
    image.onerror = () => reject(new Error(`the tile ${url} did not load`));
    image.src = url;
  });
}
