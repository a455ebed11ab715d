/** Values with intervals, one row each: bars from zero, or dots where only the difference to zero counts. */
import type { ComponentChildren } from "preact";
import { score } from "../i18n";

export interface IntervalRow {
  key: string;
  label: ComponentChildren;
  value: number | null;
  lower?: number | null;
  upper?: number | null;
  /** Drawn hatched, so that colour alone does not tell. */
  control?: boolean;
  /** A dot is hollow where its interval includes zero. */
  hollow?: boolean;
}

interface Props {
  caption: string;
  rows: IntervalRow[];
  as: "bars" | "dots";
  marks?: { key: string; label: string; value: number }[];
  decimals?: number;
  legend?: ComponentChildren;
}

export function Intervals({ caption, rows, as, marks = [], decimals = 3, legend }: Props) {
  const known = rows.flatMap((row) => [row.value, row.lower, row.upper]).filter((x): x is number => x != null);
  const scale = scaleOf([0, ...known, ...marks.map((mark) => mark.value)]);
  return (
    <figure class="intervals">
      <div class="interval-rows" role="img" aria-label={caption}>
        {rows.map((row) => (
          <div key={row.key} class="interval-row" aria-hidden="true">
            <span class="interval-label">{row.label}</span>
            <Track row={row} as={as} scale={scale} marks={marks} />
            <span class="interval-value">{score(row.value, decimals)}</span>
          </div>
        ))}
        <div class="interval-row axis" aria-hidden="true">
          <span />
          <span class="ticks">
            {scale.ticks.map((tick) => (
              <span key={tick} style={{ left: scale.at(tick) }}>
                {score(tick, scale.decimals)}
              </span>
            ))}
          </span>
          <span />
        </div>
      </div>
      {legend && <figcaption class="legend small">{legend}</figcaption>}
    </figure>
  );
}

interface Scale {
  at: (value: number) => string;
  ticks: number[];
  decimals: number;
}

function Track({
  row,
  as,
  scale,
  marks,
}: {
  row: IntervalRow;
  as: Props["as"];
  scale: Scale;
  marks: { key: string; value: number }[];
}) {
  const { at } = scale;
  const { value, lower, upper } = row;
  const [left, right] = [Math.min(0, value ?? 0), Math.max(0, value ?? 0)];
  const width = `${parseFloat(at(right)) - parseFloat(at(left))}%`;
  return (
    <svg class="track" height="24" width="100%">
      {scale.ticks.map((tick) => (
        <line key={tick} class={tick === 0 ? "grid zero" : "grid"} x1={at(tick)} x2={at(tick)} y1="0" y2="24" />
      ))}
      {marks.map((mark) => (
        <line key={mark.key} class={`ceiling ${mark.key}`} x1={at(mark.value)} x2={at(mark.value)} y1="0" y2="24" />
      ))}
      {value !== null && as === "bars" && (
        <rect
          class={row.control ? "mark-control" : "mark-method"}
          x={at(left)}
          width={width}
          y="6"
          height="12"
          rx="2"
        />
      )}
      {lower != null && upper != null && (
        <g class="whisker">
          <line x1={at(lower)} x2={at(upper)} y1="12" y2="12" />
          <line x1={at(lower)} x2={at(lower)} y1="8.5" y2="15.5" />
          <line x1={at(upper)} x2={at(upper)} y1="8.5" y2="15.5" />
        </g>
      )}
      {value !== null && as === "dots" && (
        <circle class={row.hollow ? "dot hollow" : "dot"} cx={at(value)} cy="12" r="4.5" />
      )}
    </svg>
  );
}

/** Round ticks over the values; positions in per cent of the width, with a little room at both ends. */
function scaleOf(values: number[]): Scale {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const span = high - low || 1;
  const raw = span / 5;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * ([1, 2, 5, 10].find((factor) => factor * power >= raw) ?? 10);
  const [first, last] = [Math.floor(low / step) * step, Math.ceil(high / step) * step];
  const room = last - first;
  const count = Math.round(room / step);
  return {
    at: (value) => `${1 + ((value - first) / room) * 98}%`,
    ticks: Array.from({ length: count + 1 }, (_, i) => Number((first + i * step).toPrecision(12))),
    decimals: Math.max(0, -Math.floor(Math.log10(step))),
  };
}
