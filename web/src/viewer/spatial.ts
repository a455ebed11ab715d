/**
 * Observations in drawing order: one sort at load serves culling, thinning, picking and selection.
 *
 * Observations are dealt into levels: a level keeps at most one observation per cell of a grid, and each next grid has
 * sqrt(2) times as many cells a side. So the first levels alone are an even sample of the whole, and a view that is
 * zoomed out draws only as many levels as it has pixels. Within a level, observations are sorted by tile of a coarse
 * grid, so that what a view sees is a few contiguous runs.
 */

import type { Point } from "./plane";

/** Below this many observations all are drawn and levels buy nothing. */
const THIN_FROM = 50_000;
const FINEST_GRID = 2048;

export interface Rect {
  x0: number;
  y0: number;
  x1: number;
  y1: number;
}

/** Runs of observations to draw: run k starts at `first[k]` and has `count[k]` of them. */
export interface Runs {
  first: Int32Array;
  count: Int32Array;
  length: number;
  total: number;
  /** True where levels were left out. */
  thinned: boolean;
}

export class Placement {
  readonly n: number;
  /** `order[k]` is the observation drawn at place k; `place` is its inverse. */
  readonly order: Uint32Array;
  readonly place: Uint32Array;
  /** Centres in drawing order, relative to `origin`, level-0 px: float32 stays exact far from the slide's corner. */
  readonly xy: Float32Array;
  readonly origin: Point;
  readonly extent: Rect;
  /** Side of each level's cells in level-0 px, coarse to fine; the last level takes the rest and has 0. */
  readonly cells: number[];
  private readonly tiles: number;
  private readonly tileWidth: number;
  private readonly tileHeight: number;
  private readonly starts: Uint32Array;

  constructor(xy: Float32Array) {
    this.n = xy.length / 2;
    this.extent = extentOf(xy);
    const width = Math.max(1, this.extent.x1 - this.extent.x0);
    const height = Math.max(1, this.extent.y1 - this.extent.y0);
    this.origin = [Math.round((this.extent.x0 + this.extent.x1) / 2), Math.round((this.extent.y0 + this.extent.y1) / 2)];
    this.tiles = this.n >= THIN_FROM ? 32 : 8;
    this.tileWidth = width / this.tiles;
    this.tileHeight = height / this.tiles;
    const side = Math.max(width, height);
    const grids: number[] = [];
    for (let grid = 256; this.n >= THIN_FROM && grid <= FINEST_GRID; grid = Math.round(grid * Math.SQRT2)) {
      grids.push(grid);
    }
    this.cells = [...grids.map((grid) => side / grid), 0];
    const level = dealLevels(xy, this.extent, grids, side);
    const keys = this.keysOf(xy, level);
    [this.order, this.starts] = countingSort(keys, this.cells.length * this.tiles * this.tiles);
    this.place = new Uint32Array(this.n);
    this.xy = new Float32Array(2 * this.n);
    for (let k = 0; k < this.n; k++) {
      const i = this.order[k] as number;
      this.place[i] = k;
      this.xy[2 * k] = (xy[2 * i] as number) - this.origin[0];
      this.xy[2 * k + 1] = (xy[2 * i + 1] as number) - this.origin[1];
    }
  }

  /** Bring values by observation into drawing order; unknown values become the sentinel that the shader skips. */
  arrange(values: ArrayLike<number>, unknown: number, out = new Float32Array(this.n)): Float32Array {
    const { order, n } = this;
    for (let k = 0; k < n; k++) {
      const value = values[order[k] as number] as number;
      out[k] = value === value ? value : unknown;
    }
    return out;
  }

  /** Centre of an observation, level-0 px. */
  centre(observation: number): Point {
    const k = this.place[observation] as number;
    return [(this.xy[2 * k] as number) + this.origin[0], (this.xy[2 * k + 1] as number) + this.origin[1]];
  }

  /** Runs that cover a rectangle in level-0 px, thinned to about one observation per `cellPx` level-0 px. */
  runs(rect: Rect, cellPx: number): Runs {
    const out: Runs = { first: new Int32Array(1024), count: new Int32Array(1024), length: 0, total: 0, thinned: false };
    const tiles = this.tilesOf(rect);
    if (!tiles) {
      return out;
    }
    const depth = this.cells.findIndex((cell) => cell <= cellPx);
    out.thinned = depth < this.cells.length - 1;
    for (let level = 0; level <= depth; level++) {
      for (let row = tiles.row0; row <= tiles.row1; row++) {
        const at = (level * this.tiles + row) * this.tiles;
        append(out, this.starts[at + tiles.col0] as number, this.starts[at + tiles.col1 + 1] as number);
      }
    }
    return out;
  }

  /** The observation whose centre is nearest to (x, y), no farther than `radius` level-0 px; -1 where there is none. */
  nearest(x: number, y: number, radius: number): number {
    let best = -1;
    let bound = radius * radius;
    this.scan({ x0: x - radius, y0: y - radius, x1: x + radius, y1: y + radius }, (k, px, py) => {
      const d = (px - x) ** 2 + (py - y) ** 2;
      if (d <= bound) {
        bound = d;
        best = k;
      }
    });
    return best < 0 ? -1 : (this.order[best] as number);
  }

  /** Observations whose centres lie inside a polygon (level-0 px), ascending. */
  inside(polygon: readonly Point[], contains: (polygon: readonly Point[], x: number, y: number) => boolean): Uint32Array {
    const found: number[] = [];
    const xs = polygon.map((p) => p[0]);
    const ys = polygon.map((p) => p[1]);
    const rect = { x0: Math.min(...xs), y0: Math.min(...ys), x1: Math.max(...xs), y1: Math.max(...ys) };
    this.scan(rect, (k, x, y) => {
      if (contains(polygon, x, y)) {
        found.push(this.order[k] as number);
      }
    });
    return Uint32Array.from(found).sort();
  }

  private scan(rect: Rect, visit: (k: number, x: number, y: number) => void): void {
    const runs = this.runs(rect, 0);
    for (let r = 0; r < runs.length; r++) {
      const end = (runs.first[r] as number) + (runs.count[r] as number);
      for (let k = runs.first[r] as number; k < end; k++) {
        const x = (this.xy[2 * k] as number) + this.origin[0];
        const y = (this.xy[2 * k + 1] as number) + this.origin[1];
        if (x >= rect.x0 && x <= rect.x1 && y >= rect.y0 && y <= rect.y1) {
          visit(k, x, y);
        }
      }
    }
  }

  private tilesOf(rect: Rect): { col0: number; col1: number; row0: number; row1: number } | null {
    const { extent, tiles } = this;
    if (this.n === 0 || rect.x1 < extent.x0 || rect.x0 > extent.x1 || rect.y1 < extent.y0 || rect.y0 > extent.y1) {
      return null;
    }
    const clip = (v: number) => Math.max(0, Math.min(tiles - 1, Math.floor(v)));
    return {
      col0: clip((rect.x0 - extent.x0) / this.tileWidth),
      col1: clip((rect.x1 - extent.x0) / this.tileWidth),
      row0: clip((rect.y0 - extent.y0) / this.tileHeight),
      row1: clip((rect.y1 - extent.y0) / this.tileHeight),
    };
  }

  private keysOf(xy: Float32Array, level: Uint8Array): Uint16Array {
    const { extent, tiles } = this;
    const keys = new Uint16Array(this.n);
    for (let i = 0; i < this.n; i++) {
      const col = Math.min(tiles - 1, Math.floor(((xy[2 * i] as number) - extent.x0) / this.tileWidth));
      const row = Math.min(tiles - 1, Math.floor(((xy[2 * i + 1] as number) - extent.y0) / this.tileHeight));
      keys[i] = ((level[i] as number) * tiles + row) * tiles + col;
    }
    return keys;
  }
}

function extentOf(xy: Float32Array): Rect {
  const rect = { x0: Infinity, y0: Infinity, x1: -Infinity, y1: -Infinity };
  for (let i = 0; i < xy.length; i += 2) {
    const x = xy[i] as number;
    const y = xy[i + 1] as number;
    if (x < rect.x0) rect.x0 = x;
    if (x > rect.x1) rect.x1 = x;
    if (y < rect.y0) rect.y0 = y;
    if (y > rect.y1) rect.y1 = y;
  }
  return xy.length ? rect : { x0: 0, y0: 0, x1: 0, y1: 0 };
}

function dealLevels(xy: Float32Array, extent: Rect, grids: readonly number[], side: number): Uint8Array {
  const n = xy.length / 2;
  const level = new Uint8Array(n).fill(grids.length);
  let left = Uint32Array.from({ length: grids.length ? n : 0 }, (_, i) => i);
  const kept: number[] = [];
  grids.forEach((grid, depth) => {
    const taken = new Uint8Array(grid * grid);
    const scale = (grid * (1 - 1e-7)) / side;
    const cellOf = (i: number) =>
      Math.floor(((xy[2 * i + 1] as number) - extent.y0) * scale) * grid +
      Math.floor(((xy[2 * i] as number) - extent.x0) * scale);
    for (const i of kept) {
      taken[cellOf(i)] = 1;
    }
    let rest = 0;
    for (const i of left) {
      const cell = cellOf(i);
      if (taken[cell]) {
        left[rest++] = i;
      } else {
        taken[cell] = 1;
        level[i] = depth;
        kept.push(i);
      }
    }
    left = left.subarray(0, rest);
  });
  return level;
}

function countingSort(keys: Uint16Array, size: number): [order: Uint32Array, starts: Uint32Array] {
  const starts = new Uint32Array(size + 1);
  for (const key of keys) {
    starts[key + 1] = (starts[key + 1] as number) + 1;
  }
  for (let k = 0; k < size; k++) {
    starts[k + 1] = (starts[k + 1] as number) + (starts[k] as number);
  }
  const next = starts.slice();
  const order = new Uint32Array(keys.length);
  keys.forEach((key, i) => {
    const at = next[key] as number;
    order[at] = i;
    next[key] = at + 1;
  });
  return [order, starts];
}

function append(runs: Runs, start: number, end: number): void {
  if (end <= start) {
    return;
  }
  const last = runs.length - 1;
  if (last >= 0 && (runs.first[last] as number) + (runs.count[last] as number) === start) {
    runs.count[last] = (runs.count[last] as number) + end - start;
  } else {
    runs.first[runs.length] = start;
    runs.count[runs.length++] = end - start;
  }
  runs.total += end - start;
}
