/** Registered stacks: from a section's level-0 px into the stack's micrometres, and from section to section. */

import type { ItemDetail } from "../types";
import { turned, type Point, type View } from "./plane";
import type { Rect } from "./spatial";

/** Room around the observations in the first view, share of their extent. */
const HOME_ROOM = 0.06;

/** A turn, a scale and a shift of level-0 px: x' = a x - b y + x_um, y' = b x + a y + y_um. */
export interface Registered {
  a: number;
  b: number;
  x_um: number;
  y_um: number;
  /** How far an observation lies at most from where the registration has it, which may also stretch. */
  off_um: number;
}

/** How well a section was registered to a neighbour. */
export interface Pair {
  fixed: string;
  verdict: "ok" | "doubtful" | "failed";
  reasons: string[];
  overlap: number;
}

/** Cosine and sine of the turn by which an item is shown; only registered sections are turned. */
export function turnOf({ place }: ItemDetail): Point {
  if (!place) {
    return [1, 0];
  }
  const size = Math.hypot(place.a, place.b);
  return [place.a / size, place.b / size];
}

/** Whether two items are sections of one registered stack, or the same item. */
export function together(one: ItemDetail, other: ItemDetail): boolean {
  return one.id === other.id || (one.place !== null && other.place !== null && one.stack === other.stack);
}

/** Bring a point of one item onto the same place of another of its stack. */
export function carry([x, y]: Point, from: ItemDetail, onto: ItemDetail): Point {
  if (!from.place || !onto.place || from.id === onto.id) {
    return [x, y];
  }
  const { a, b, x_um, y_um } = from.place;
  const { a: c, b: d, x_um: u, y_um: v } = onto.place;
  const [dx, dy] = [a * x - b * y + x_um - u, b * x + a * y + y_um - v];
  const square = c * c + d * d;
  return [(c * dx + d * dy) / square, (c * dy - d * dx) / square];
}

/** How many level-0 px of `onto` are as long as one of `from`. */
export function pxPerPx(from: ItemDetail, onto: ItemDetail): number {
  if (from.place && onto.place) {
    return Math.hypot(from.place.a, from.place.b) / Math.hypot(onto.place.a, onto.place.b);
  }
  return (from.mpp ?? 1) / (onto.mpp ?? 1) || 1;
}

/** Bring a view of one item to another: the same place of a stack, else middle on middle, at the same um per CSS px. */
export function carryView(view: View, from: ItemDetail, onto: ItemDetail, middle: (item: ItemDetail) => Point): View {
  const ratio = pxPerPx(from, onto);
  const scale = view.scale / ratio;
  if (together(from, onto)) {
    const [x, y] = carry([view.x, view.y], from, onto);
    return { x, y, scale };
  }
  const [[fx, fy], [ox, oy]] = [middle(from), middle(onto)];
  return { x: ox + (view.x - fx) * ratio, y: oy + (view.y - fy) * ratio, scale };
}

/** The view of an item that shows all of what is given, of it and of others of its stack; null where that is nothing. */
export function homeView(item: ItemDetail, shown: readonly { item: ItemDetail; extent: Rect }[], panel: { width: number; height: number }): View | null {
  const turn = turnOf(item);
  const corners = shown.flatMap(({ item: other, extent: { x0, y0, x1, y1 } }) => {
    const room = HOME_ROOM * Math.max(x1 - x0, y1 - y0) + (other.observations?.size_px ?? 0);
    const [left, top, right, bottom] = [x0 - room, y0 - room, x1 + room, y1 + room];
    const box: Point[] = [[left, top], [right, top], [right, bottom], [left, bottom]];
    return box.map((corner) => turned(carry(corner, other, item), turn));
  });
  if (corners.length === 0) {
    return null;
  }
  const [xs, ys] = [corners.map(([x]) => x), corners.map(([, y]) => y)];
  const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const [x, y] = turned([(left + right) / 2, (top + bottom) / 2], [turn[0], -turn[1]]);
  return { x, y, scale: Math.min(panel.width / (right - left), panel.height / (bottom - top)) };
}
