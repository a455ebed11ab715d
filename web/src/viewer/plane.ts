/** The two frames of the viewer: the slide's level-0 pixels, and the stage's CSS pixels. */

/** A point in level-0 px. */
export type Point = readonly [x: number, y: number];

/** A rectangle in CSS px, relative to the stage. */
export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** What a panel shows: the level-0 point at its centre, and CSS px per level-0 px. */
export interface View {
  x: number;
  y: number;
  scale: number;
}

/** Where a panel lies and how the slide is mapped into it: css = offset + scale * turned level-0 px. */
export interface Frame {
  box: Box;
  clip: Box;
  scale: number;
  offset: readonly [number, number];
  /** Cosine and sine of the turn from right to down: sections of a registered stack lie as the stack does. */
  turn: Point;
}

/** Turn a point about the origin. */
export function turned([x, y]: Point, [cos, sin]: Point): Point {
  return [cos * x - sin * y, sin * x + cos * y];
}

/** Bring a point of the stage (CSS px) onto the slide. */
export function toSlide(frame: Frame, x: number, y: number): Point {
  const { scale, offset, turn } = frame;
  return turned([(x - offset[0]) / scale, (y - offset[1]) / scale], [turn[0], -turn[1]]);
}

/** Bring a point of the slide onto the stage (CSS px). */
export function toStage({ scale, offset, turn }: Frame, at: Point): [number, number] {
  const [x, y] = turned(at, turn);
  return [offset[0] + scale * x, offset[1] + scale * y];
}

/** Corners of a box of the stage on the slide, level-0 px, clockwise on the stage. */
export function cornersOf(frame: Frame, { x, y, width, height }: Box): Point[] {
  return [toSlide(frame, x, y), toSlide(frame, x + width, y), toSlide(frame, x + width, y + height), toSlide(frame, x, y + height)];
}

/** The turn in degrees, as SVG and OpenSeadragon count it. */
export function degrees([cos, sin]: Point): number {
  return (Math.atan2(sin, cos) * 180) / Math.PI;
}

export function holds(box: Box, x: number, y: number): boolean {
  return x >= box.x && y >= box.y && x < box.x + box.width && y < box.y + box.height;
}
