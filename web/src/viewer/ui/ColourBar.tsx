/** The legend of a scale: the map, round ticks, the unit, and arrows where values lie beyond its ends. */

import { t } from "../../i18n";
import { colourAt, cssGradient } from "../colourmaps";
import type { Scale } from "../looks";
import { position, short, ticks } from "../values";

export function ColourBar({ scale, title }: { scale: Scale; title: string }) {
  const { span, log } = scale;
  const marks = ticks(span, log ? 8 : 5).filter((value, k, all) => {
    // On a logarithmic bar the upper ticks crowd: keep those that leave room for their number.
    const at = position(value, span, log);
    return all.slice(0, k).every((other) => Math.abs(position(other, span, log) - at) > 0.16) || k === 0;
  });
  return (
    <figure class="colour-bar" aria-label={t("slide.legend", { title, low: short(span.low), high: short(span.high), unit: scale.unit })}>
      <figcaption>{title}</figcaption>
      <div class="colour-bar-row" aria-hidden="true">
        {scale.below && <span class="end below" style={{ color: colourAt(scale.map, 0) }} />}
        <span class="ramp" style={{ background: cssGradient(scale.map) }} />
        {scale.above && <span class="end above" style={{ color: colourAt(scale.map, 1) }} />}
      </div>
      <div class="colour-bar-ticks" aria-hidden="true">
        {marks.map((value) => (
          <span key={value} style={{ left: `${100 * position(value, span, log)}%` }}>
            {short(value)}
          </span>
        ))}
      </div>
      {scale.unit && (
        <div class="colour-bar-unit" aria-hidden="true">
          {scale.unit}
        </div>
      )}
    </figure>
  );
}
