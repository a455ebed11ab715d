/** The scale bar: a round length near a sixth of the picture's width. */

import { short } from "./values";

export interface ScaleBar {
  /** Length on screen, CSS pixels. */
  width: number;
  label: string;
}

/**
 * Choose a bar.
 *
 * `cssPerPx` is CSS pixels per level-0 pixel, `mpp` micrometres per level-0 pixel; without `mpp` lengths are in pixels,
 * because a guessed scale is worse than none.
 */
export function scaleBar(cssPerPx: number, mpp: number | null, viewWidth: number): ScaleBar {
  const perUnit = cssPerPx / (mpp ?? 1);
  const most = Math.max(40, Math.min(160, viewWidth / 4)) / perUnit;
  const power = 10 ** Math.floor(Math.log10(most));
  const length = ([5, 2, 1].find((f) => f * power <= most) ?? 1) * power;
  const label = mpp === null ? `${short(length)} px` : length >= 1000 ? `${short(length / 1000)} mm` : `${short(length)} µm`;
  return { width: length * perUnit, label };
}
