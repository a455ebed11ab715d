/**
 * Observations by the pixel: where there are more than can be drawn as shapes, a grid of their means is drawn instead.
 *
 * Cells are as large as the observations are apart; coarser levels halve the grid, each the mean of what it covers, so
 * that one pixel shows the mean of the observations in it and not whichever was drawn last. Codes of categories have
 * no mean: a cell shows its first.
 */

import { UNKNOWN } from "./shaders";
import type { Placement } from "./spatial";

const FINEST = 2048;
const COARSEST = 128;

export interface RasterLevel {
  columns: number;
  rows: number;
  /** Side of a cell, level-0 px. */
  cell: number;
}

export class Raster {
  readonly levels: RasterLevel[] = [];
  /** Left upper corner of the grid relative to the placement's origin, level-0 px. */
  readonly corner: readonly [number, number];
  private readonly cellOf: Uint32Array;

  /** `pitch` is the distance between neighbours of a regular lattice, level-0 px, or null. */
  constructor(placement: Placement, pitch: number | null) {
    const { extent, origin, xy, n } = placement;
    const [width, height] = [extent.x1 - extent.x0, extent.y1 - extent.y0];
    // Scattered observations leave gaps in cells of their mean distance; a third more closes most of them.
    const apart = pitch ?? 1.3 * Math.sqrt(Math.max(1, width * height) / n);
    let cell = Math.max(apart, Math.max(width, height) / (FINEST - 1));
    this.corner = [extent.x0 - cell / 2 - origin[0], extent.y0 - cell / 2 - origin[1]];
    let columns = Math.floor(width / cell + 0.5) + 1;
    let rows = Math.floor(height / cell + 0.5) + 1;
    this.cellOf = new Uint32Array(n);
    for (let k = 0; k < n; k++) {
      const column = Math.floor(((xy[2 * k] as number) - this.corner[0]) / cell);
      const row = Math.floor(((xy[2 * k + 1] as number) - this.corner[1]) / cell);
      this.cellOf[k] = row * columns + column;
    }
    this.levels.push({ columns, rows, cell });
    while (Math.max(columns, rows) > COARSEST) {
      columns = Math.ceil(columns / 2);
      rows = Math.ceil(rows / 2);
      cell *= 2;
      this.levels.push({ columns, rows, cell });
    }
  }

  /** The level whose cells are nearest to, and no smaller than, `px` level-0 px; the finest where all are larger. */
  levelFor(px: number): number {
    const found = this.levels.findIndex((level) => level.cell >= px * 0.99);
    return found < 0 ? this.levels.length - 1 : found;
  }

  /** Values of all levels from values in drawing order; cells without a known value are `UNKNOWN`. */
  fill(values: ArrayLike<number>, codes: boolean): Float32Array[] {
    const { columns, rows } = this.levels[0] as RasterLevel;
    const sum = new Float32Array(columns * rows);
    const count = new Float32Array(columns * rows);
    const { cellOf } = this;
    for (let k = 0; k < cellOf.length; k++) {
      const value = values[k] as number;
      const cell = cellOf[k] as number;
      if (value > UNKNOWN && !(codes && count[cell])) {
        sum[cell]! += value;
        count[cell]! += 1;
      }
    }
    const out: Float32Array[] = [];
    let [s, c]: [Float32Array, Float32Array] = [sum, count];
    this.levels.forEach((level, at) => {
      if (at > 0) {
        [s, c] = halved(s, c, this.levels[at - 1] as RasterLevel, level, codes);
      }
      out.push(means(s, c));
    });
    return out;
  }
}

// A loop: `Float32Array.from` with a function takes ten times as long.
function means(sum: Float32Array, count: Float32Array): Float32Array {
  const out = new Float32Array(sum.length);
  for (let k = 0; k < out.length; k++) {
    out[k] = count[k] ? (sum[k] as number) / (count[k] as number) : UNKNOWN;
  }
  return out;
}

function halved(sum: Float32Array, count: Float32Array, from: RasterLevel, to: RasterLevel, codes: boolean): [Float32Array, Float32Array] {
  const s = new Float32Array(to.columns * to.rows);
  const c = new Float32Array(to.columns * to.rows);
  for (let row = 0; row < from.rows; row++) {
    for (let column = 0; column < from.columns; column++) {
      const k = row * from.columns + column;
      const into = (row >> 1) * to.columns + (column >> 1);
      if (count[k] && !(codes && c[into])) {
        s[into]! += sum[k] as number;
        c[into]! += count[k] as number;
      }
    }
  }
  return [s, c];
}
