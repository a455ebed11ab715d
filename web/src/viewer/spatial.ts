/**
 * Observations in drawing order: one sort at load serves culling, picking and selection.
 *
 * Observations are sorted by tile of a coarse grid, row by row, so that what a view sees is a few contiguous runs.
 */

import type { Point } from "./plane";

/** Tiles a side: enough that a zoomed-in view skips most observations, few enough that runs stay long. */
const TILES = 48;

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
  private readonly tileWidth: number;
  private readonly tileHeight: number;
  private readonly starts: Uint32Array;

  constructor(xy: Float32Array) {
    this.n = xy.length / 2;
    this.extent = extentOf(xy);
    const width = Math.max(1, this.extent.x1 - this.extent.x0);
    const height = Math.max(1, this.extent.y1 - this.extent.y0);
    this.origin = [Math.round((this.extent.x0 + this.extent.x1) / 2), Math.round((this.extent.y0 + this.extent.y1) / 2)];
    this.tileWidth = width / TILES;
    this.tileHeight = height / TILES;
    [this.order, this.starts] = countingSort(this.keysOf(xy), TILES * TILES);
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
  arrange(values: ArrayLike<number>, unknown: number, out: Float32Array = new Float32Array(this.n)): Float32Array {
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

  /** Runs of observations that cover a rectangle in level-0 px. */
  runs(rect: Rect): Runs {
    const out: Runs = { first: new Int32Array(TILES), count: new Int32Array(TILES), length: 0, total: 0 };
    const tiles = this.tilesOf(rect);
    for (let row = tiles?.row0 ?? 0; tiles && row <= tiles.row1; row++) {
      append(out, this.starts[row * TILES + tiles.col0] as number, this.starts[row * TILES + tiles.col1 + 1] as number);
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
    const runs = this.runs(rect);
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
    const { extent } = this;
    if (this.n === 0 || rect.x1 < extent.x0 || rect.x0 > extent.x1 || rect.y1 < extent.y0 || rect.y0 > extent.y1) {
      return null;
    }
    const clip = (v: number) => Math.max(0, Math.min(TILES - 1, Math.floor(v)));
    return {
      col0: clip((rect.x0 - extent.x0) / this.tileWidth),
      col1: clip((rect.x1 - extent.x0) / this.tileWidth),
      row0: clip((rect.y0 - extent.y0) / this.tileHeight),
      row1: clip((rect.y1 - extent.y0) / this.tileHeight),
    };
  }

  private keysOf(xy: Float32Array): Uint16Array {
    const { extent } = this;
    const keys = new Uint16Array(this.n);
    for (let i = 0; i < this.n; i++) {
      const col = Math.min(TILES - 1, Math.floor(((xy[2 * i] as number) - extent.x0) / this.tileWidth));
      const row = Math.min(TILES - 1, Math.floor(((xy[2 * i + 1] as number) - extent.y0) / this.tileHeight));
      keys[i] = row * TILES + col;
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
