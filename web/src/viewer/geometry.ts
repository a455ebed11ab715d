/** Polygons in level-0 pixels: membership, simplification, and their short form in an address. */

import type { Point } from "./plane";

/** Tell whether (x, y) lies inside a closed polygon, by the even-odd rule. */
export function contains(polygon: readonly Point[], x: number, y: number): boolean {
  let inside = false;
  for (let i = 0, j = polygon.length - 1; i < polygon.length; j = i++) {
    const [xi, yi] = polygon[i] as Point;
    const [xj, yj] = polygon[j] as Point;
    if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) {
      inside = !inside;
    }
  }
  return inside;
}

/** Drop the points of a line that lie within `tolerance` of the rest (Douglas and Peucker 1973). */
export function simplify(line: readonly Point[], tolerance: number): Point[] {
  if (line.length < 3) {
    return [...line];
  }
  const first = line[0] as Point;
  const last = line[line.length - 1] as Point;
  let worst = 0;
  let at = 0;
  for (let i = 1; i < line.length - 1; i++) {
    const d = distance(line[i] as Point, first, last);
    if (d > worst) {
      worst = d;
      at = i;
    }
  }
  if (worst <= tolerance) {
    return [first, last];
  }
  return [...simplify(line.slice(0, at + 1), tolerance).slice(0, -1), ...simplify(line.slice(at), tolerance)];
}

/** Write a polygon as "x_y_x_y...", whole level-0 px. */
export function polygonToText(polygon: readonly Point[]): string {
  return polygon.map(([x, y]) => `${Math.round(x)}_${Math.round(y)}`).join("_");
}

/** Read what `polygonToText` wrote; null for anything else. */
export function polygonFromText(text: string): Point[] | null {
  const numbers = text.split("_").map(Number);
  if (numbers.length < 6 || numbers.length % 2 === 1 || numbers.some((v) => !Number.isFinite(v))) {
    return null;
  }
  return Array.from({ length: numbers.length / 2 }, (_, k) => [numbers[2 * k] as number, numbers[2 * k + 1] as number]);
}

function distance([x, y]: Point, [ax, ay]: Point, [bx, by]: Point): number {
  const [dx, dy] = [bx - ax, by - ay];
  const t = Math.max(0, Math.min(1, ((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy || 1)));
  return Math.hypot(x - ax - t * dx, y - ay - t * dy);
}
