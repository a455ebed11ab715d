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

/** Where a panel lies and how the slide is mapped into it: css = offset + scale * level-0 px. */
export interface Frame {
  box: Box;
  clip: Box;
  scale: number;
  offset: readonly [number, number];
}

/** Bring a point of the stage (CSS px) onto the slide. */
export function toSlide(frame: Frame, x: number, y: number): Point {
  return [(x - frame.offset[0]) / frame.scale, (y - frame.offset[1]) / frame.scale];
}

/** Bring a point of the slide onto the stage (CSS px). */
export function toStage(frame: Frame, [x, y]: Point): [number, number] {
  return [frame.offset[0] + frame.scale * x, frame.offset[1] + frame.scale * y];
}

export function holds(box: Box, x: number, y: number): boolean {
  return x >= box.x && y >= box.y && x < box.x + box.width && y < box.y + box.height;
}
