/** The file's own pyramid as an OpenSeadragon tile source: any level sizes, tiles as they lie in the file. */

import OpenSeadragon from "openseadragon";
import { part } from "../api";
import type { ItemDetail } from "../types";

type SlideInfo = NonNullable<ItemDetail["slide"]>;

/** Longest side of the thumbnail that stands in as the coarsest level; one request paints the whole slide. */
export const THUMBNAIL_PX = 1024;

export interface Step {
  /** Level of the file, or null for the thumbnail. */
  file: number | null;
  width: number;
  height: number;
  tileWidth: number;
  tileHeight: number;
  /** Level-0 pixels per pixel of this level. */
  downsample: number;
}

/** Order a slide's levels from coarse to fine, with the thumbnail below them where the file stops too early. */
export function steps(slide: SlideInfo): Step[] {
  const levels: Step[] = [...slide.levels]
    .sort((a, b) => a.width_px - b.width_px)
    .map((level) => ({
      file: level.level,
      width: level.width_px,
      height: level.height_px,
      tileWidth: level.tile_width_px,
      tileHeight: level.tile_height_px,
      downsample: level.downsample,
    }));
  const longest = Math.max(slide.width_px, slide.height_px);
  const coarsest = levels[0];
  if (coarsest && Math.max(coarsest.width, coarsest.height) > THUMBNAIL_PX) {
    const downsample = longest / THUMBNAIL_PX;
    const width = Math.round(slide.width_px / downsample);
    const height = Math.round(slide.height_px / downsample);
    levels.unshift({ file: null, width, height, tileWidth: width, tileHeight: height, downsample });
  }
  return levels;
}

export function tileUrl(item: ItemDetail, step: Step, x: number, y: number): string {
  const base = `/api/items/${part(item.id)}`;
  return step.file === null ? `${base}/thumbnail?max_px=${THUMBNAIL_PX}` : `${base}/tile/${step.file}/${x}/${y}`;
}

/** Build the tile source of an item; without a slide it is an empty sheet with the observations' extent. */
export function tileSource(item: ItemDetail, slide: SlideInfo | null): OpenSeadragon.TileSource {
  const width = slide?.width_px ?? item.width_px;
  const height = slide?.height_px ?? item.height_px;
  const pyramid = slide ? steps(slide) : [];
  const source = new OpenSeadragon.TileSource({
    width,
    height,
    tileSize: 256,
    minLevel: 0,
    maxLevel: Math.max(0, pyramid.length - 1),
  } as never);
  const at = (level: number): Step => pyramid[level] as Step;
  if (pyramid.length === 0) {
    source.tileExists = () => false;
    source.getTileUrl = () => "";
    return source;
  }
  source.getLevelScale = (level) => 1 / at(level).downsample;
  source.getTileWidth = (level) => at(level).tileWidth;
  source.getTileHeight = (level) => at(level).tileHeight;
  source.getNumTiles = (level) => {
    const step = at(level);
    return new OpenSeadragon.Point(Math.ceil(step.width / step.tileWidth), Math.ceil(step.height / step.tileHeight));
  };
  source.tileExists = (level, x, y) => {
    const count = level >= 0 && level < pyramid.length ? source.getNumTiles(level) : { x: 0, y: 0 };
    return x >= 0 && y >= 0 && x < count.x && y < count.y;
  };
  source.getTileUrl = (level, x, y) => tileUrl(item, at(level), x, y);
  source.getTileAtPoint = (level, point) => {
    const step = at(level);
    const count = source.getNumTiles(level);
    const x = Math.floor((point.x * width) / step.downsample / step.tileWidth);
    const y = Math.floor((point.y * width) / step.downsample / step.tileHeight);
    // The declared type says Tile; the library itself returns and expects a Point (6.1).
    return new OpenSeadragon.Point(clamp(x, count.x - 1), clamp(y, count.y - 1)) as unknown as OpenSeadragon.Tile;
  };
  source.getTileBounds = (level, x, y, isSource) => {
    const step = at(level);
    const left = x * step.tileWidth;
    const top = y * step.tileHeight;
    // A tile at the right or lower edge is padded in a TIFF: only the part inside the level is drawn.
    const w = Math.min(step.tileWidth, step.width - left);
    const h = Math.min(step.tileHeight, step.height - top);
    if (isSource) {
      return new OpenSeadragon.Rect(0, 0, w, h);
    }
    const unit = step.downsample / width;
    return new OpenSeadragon.Rect(left * unit, top * unit, w * unit, h * unit);
  };
  return source;
}

function clamp(value: number, high: number): number {
  return Math.max(0, Math.min(high, value));
}
