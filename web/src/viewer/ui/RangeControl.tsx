/** The histogram of what is shown, with two handles on the range of colours. */

import { useEffect, useRef, useState } from "preact/hooks";
import { t } from "../../i18n";
import { colourAt } from "../colourmaps";
import type { Scale } from "../looks";
import { position, short, type RangeRule, type Values } from "../values";

interface Props {
  values: Values;
  scale: Scale;
  rule: RangeRule;
  /** A residual's scale is symmetric and set by its quantiles alone. */
  fixed: boolean;
  onRule: (rule: RangeRule) => void;
}

const WIDTH = 268;
const HEIGHT = 64;
const BINS = 67;
const QUANTILES = ["0-100", "1-99", "2-98", "5-95"] as const;

export function RangeControl({ values, scale, rule, fixed, onRule }: Props) {
  const svg = useRef<SVGSVGElement>(null);
  const full = values.full;
  const reach = full.high - full.low || 1;
  const [bars, setBars] = useState<number[]>([]);
  // After the frame that shows the colours: they do not wait for the histogram.
  useEffect(() => {
    const counts = values.histogram(BINS);
    // Square roots: most genes are 0 nearly everywhere, and the rest must still be seen.
    const top = Math.sqrt(Math.max(...counts)) || 1;
    setBars(Array.from(counts, (count) => Math.sqrt(count) / top));
  }, [values]);
  const x = (value: number) => WIDTH * Math.min(1, Math.max(0, (value - full.low) / reach));
  const set = (end: "low" | "high", value: number) => {
    const span = { ...scale.span, [end]: Number(value.toPrecision(4)) };
    if (span.high - span.low > 1e-3 * reach) {
      onRule({ ...rule, mode: "fixed", span });
    }
  };

  const drag = (end: "low" | "high") => (event: PointerEvent) => {
    const handle = event.currentTarget as SVGElement;
    const box = svg.current?.getBoundingClientRect();
    if (!box || fixed) {
      return;
    }
    event.preventDefault();
    handle.focus();
    handle.setPointerCapture(event.pointerId);
    const move = (next: PointerEvent) => {
      const share = Math.min(1, Math.max(0, (next.clientX - box.left) / box.width));
      set(end, full.low + share * reach);
    };
    handle.addEventListener("pointermove", move);
    const stop = () => handle.removeEventListener("pointermove", move);
    handle.addEventListener("pointerup", stop, { once: true });
    handle.addEventListener("pointercancel", stop, { once: true });
  };
  const press = (end: "low" | "high") => (event: KeyboardEvent) => {
    const step = { ArrowLeft: -0.01, ArrowDown: -0.01, ArrowRight: 0.01, ArrowUp: 0.01, PageDown: -0.1, PageUp: 0.1 }[event.key];
    if (step && !fixed) {
      event.preventDefault();
      event.stopPropagation();
      set(end, Math.min(full.high, Math.max(full.low, scale.span[end] + step * reach)));
    }
  };

  return (
    <div class="range-control">
      <svg ref={svg} viewBox={`0 -2 ${WIDTH} ${HEIGHT + 4}`} class="histogram" role="group" aria-label={t("slide.histogram")}>
        {bars.map((height, k) => {
          const middle = full.low + ((k + 0.5) / BINS) * reach;
          const tall = Math.max(height > 0 ? 1.5 : 0, height * (HEIGHT - 6));
          return (
            <rect
              key={k}
              x={k * (WIDTH / BINS)}
              y={HEIGHT - tall}
              width={WIDTH / BINS - 0.7}
              height={tall}
              fill={colourAt(scale.map, position(middle, scale.span, scale.log))}
            />
          );
        })}
        <line class="axis" x1="0" x2={WIDTH} y1={HEIGHT} y2={HEIGHT} />
        {(["low", "high"] as const).map((end) => (
          <g
            key={end}
            class={`handle${fixed ? " off" : ""}`}
            transform={`translate(${x(scale.span[end])} 0)`}
            role="slider"
            tabindex={fixed ? -1 : 0}
            aria-disabled={fixed}
            aria-label={t(end === "low" ? "slide.range_low" : "slide.range_high")}
            aria-valuemin={full.low}
            aria-valuemax={full.high}
            aria-valuenow={Number(scale.span[end].toPrecision(4))}
            aria-valuetext={`${short(scale.span[end])} ${scale.unit}`}
            onPointerDown={drag(end)}
            onKeyDown={press(end)}
          >
            <rect x="-9" y="-2" width="18" height={HEIGHT + 4} fill="transparent" />
            <line y1="0" y2={HEIGHT} />
            <circle cy={HEIGHT / 2} r="5" />
          </g>
        ))}
      </svg>
      <div class="range-row">
        <NumberField label={t("slide.range_low")} value={scale.span.low} disabled={fixed} onValue={(v) => set("low", v)} />
        <select
          class="small-select"
          aria-label={t("slide.quantiles")}
          value={rule.mode === "fixed" && !fixed ? "hand" : rule.quantiles.join("-")}
          onChange={(event) => {
            const [low, high] = event.currentTarget.value.split("-").map(Number);
            if (low !== undefined && high !== undefined) {
              onRule({ ...rule, mode: "auto", quantiles: [low, high] });
            } else {
              onRule({ ...rule, mode: "fixed", span: scale.span });
            }
          }}
        >
          {!QUANTILES.some((q) => q === rule.quantiles.join("-")) && (
            <option value={rule.quantiles.join("-")}>{rule.quantiles.join("–")} %</option>
          )}
          {QUANTILES.map((q) => (
            <option key={q} value={q}>
              {q.replace("-", "–")} %
            </option>
          ))}
          {!fixed && <option value="hand">{t("slide.by_hand")}</option>}
        </select>
        <NumberField label={t("slide.range_high")} value={scale.span.high} disabled={fixed} onValue={(v) => set("high", v)} />
      </div>
    </div>
  );
}

function NumberField(props: { label: string; value: number; disabled: boolean; onValue: (value: number) => void }) {
  return (
    <input
      type="number"
      step="any"
      class="number-field"
      aria-label={props.label}
      value={Number(props.value.toPrecision(3))}
      disabled={props.disabled}
      onChange={(event) => {
        const value = event.currentTarget.valueAsNumber;
        if (Number.isFinite(value)) {
          props.onValue(value);
        }
      }}
    />
  );
}
