/** One metric of every method and control, with intervals and ceilings. */
import { Intervals } from "../../components/Intervals";
import { Said } from "../../components/Said";
import { num, t } from "../../i18n";
import type { BoardTable, Metric } from "../../types";

interface Props {
  table: BoardTable;
  metrics: Metric[];
  metric: Metric;
  onMetric: (name: string) => void;
}

export const sense = (metric: Metric): string =>
  metric.direction === "nearer" ? t("boards.nearer", { best: num(metric.best ?? 0) }) : t(`boards.${metric.direction}`);

export function Figure({ table, metrics, metric, onMetric }: Props) {
  const rows = table.rows
    .map((row) => ({ row, score: row.scores[metric.name] ?? null }))
    .filter(({ score }) => score !== null)
    .sort((a, b) => rank(metric, a.score?.value ?? 0) - rank(metric, b.score?.value ?? 0))
    .map(({ row, score }) => ({
      key: row.title,
      label: row.title,
      value: score?.value ?? null,
      lower: score?.lower ?? null,
      upper: score?.upper ?? null,
      control: row.kind !== "method",
    }));
  const marks = table.ceilings.flatMap(({ label, scores }) => {
    const value = scores[metric.name];
    return value == null ? [] : [{ key: label, label: t(`boards.ceiling.${label}`), value }];
  });
  return (
    <section class="section" aria-labelledby="figure">
      <div class="section-head">
        <h2 id="figure">{t("boards.figure")}</h2>
        <label class="row small">
          <span class="muted">{t("boards.metric")}</span>
          <select value={metric.name} onChange={(event) => onMetric(event.currentTarget.value)}>
            {metrics.map(({ name }) => (
              <option key={name} value={name}>
                {name}
              </option>
            ))}
          </select>
        </label>
      </div>
      <p class="small muted">
        <Said text={metric.summary} /> · {sense(metric)}
      </p>
      <div class="card">
        <svg width="0" height="0" aria-hidden="true" class="defs">
          <pattern id="hatch" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
            <rect width="5" height="5" class="hatch-ground" />
            <rect width="2" height="5" class="hatch-line" />
          </pattern>
        </svg>
        <Intervals
          as="bars"
          caption={t("boards.figure_alt", { metric: metric.name })}
          rows={rows}
          marks={marks}
          legend={
            <>
              <span>
                <svg width="16" height="10" aria-hidden="true">
                  <rect class="mark-method" width="16" height="10" rx="2" />
                </svg>
                {t("boards.legend_method")}
              </span>
              <span>
                <svg width="16" height="10" aria-hidden="true">
                  <rect class="mark-control" x="0.5" y="0.5" width="15" height="9" rx="2" />
                </svg>
                {t("boards.legend_control")}
              </span>
              {rows.some((row) => row.lower != null) && (
                <span>
                  <svg width="16" height="10" aria-hidden="true" class="whisker">
                    <path d="M1 5h14M1 2v6M15 2v6" />
                  </svg>
                  {t("boards.legend_interval")}
                </span>
              )}
              {marks.map((mark) => (
                <span key={mark.key}>
                  <svg width="16" height="10" aria-hidden="true">
                    <line class={`ceiling ${mark.key}`} x1="8" x2="8" y1="0" y2="10" />
                  </svg>
                  {mark.label}
                </span>
              ))}
            </>
          }
        />
      </div>
    </section>
  );
}

/** Smaller is better. */
function rank(metric: Metric, value: number): number {
  if (metric.direction === "nearer") return Math.abs(value - (metric.best ?? 0));
  return metric.direction === "higher" ? -value : value;
}
