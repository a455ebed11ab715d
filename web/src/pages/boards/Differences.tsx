/** Differences on the same donors: the only fair comparison of two methods. */
import { useState } from "preact/hooks";
import { Intervals } from "../../components/Intervals";
import { Table, type Column } from "../../components/Table";
import { score, t, tOr } from "../../i18n";
import type { BoardDifference } from "../../types";

export function Differences({ differences }: { differences: BoardDifference[] }) {
  const metrics = [...new Set(differences.map((d) => d.metric))];
  const [metric, setMetric] = useState(metrics[0] ?? "");
  const shown = differences.filter((d) => d.metric === (metrics.includes(metric) ? metric : metrics[0]));
  const roles = [...new Set(shown.map((d) => d.role))];
  return (
    <section class="section" aria-labelledby="differences">
      <div class="section-head">
        <h2 id="differences">{t("boards.differences")}</h2>
        {metrics.length > 1 && (
          <label class="row small">
            <span class="muted">{t("boards.metric")}</span>
            <select value={metric} onChange={(event) => setMetric(event.currentTarget.value)}>
              {metrics.map((name) => (
                <option key={name} value={name}>
                  {name}
                </option>
              ))}
            </select>
          </label>
        )}
      </div>
      <p class="small muted">{t("boards.differences_lead")}</p>
      <div class="two">
        {roles.map((role) => (
          <Forest key={role} role={role} rows={shown.filter((d) => d.role === role)} />
        ))}
      </div>
      <Table
        caption={t("boards.differences")}
        columns={columnsOf()}
        rows={shown}
        rowKey={(d) => `${d.method} ${d.role} ${d.metric}`}
      />
    </section>
  );
}

function Forest({ role, rows }: { role: string; rows: BoardDifference[] }) {
  const title = `${t("boards.less")} ${rows[0]?.against ?? ""} (${tOr(`boards.${role}`, role)})`;
  return (
    <div class="card stack">
      <h3>{title}</h3>
      <Intervals
        as="dots"
        caption={title}
        rows={rows.map((d) => ({
          key: d.method,
          label: d.method,
          value: d.mean,
          lower: d.lower,
          upper: d.upper,
          hollow: !d.clear,
        }))}
      />
    </div>
  );
}

const columnsOf = (): Column<BoardDifference>[] => [
  { key: "method", head: t("boards.method"), header: true, sort: (d) => d.method, cell: (d) => d.method },
  {
    key: "against",
    head: t("boards.less"),
    sort: (d) => `${d.role} ${d.against}`,
    cell: (d) => (
      <>
        {d.against} <span class="muted">({tOr(`boards.${d.role}`, d.role)})</span>
      </>
    ),
  },
  { key: "metric", head: t("boards.metric"), cell: (d) => <code>{d.metric}</code> },
  { key: "mean", head: t("boards.mean"), number: true, sort: (d) => d.mean, cell: (d) => score(d.mean) },
  {
    key: "interval",
    head: t("boards.interval"),
    number: true,
    cell: (d) => (d.lower === null ? "–" : `[${score(d.lower)}, ${score(d.upper)}]`),
  },
  {
    key: "n",
    head: "n",
    number: true,
    sort: (d) => d.n,
    cell: (d) => `${d.n} ${tOr(`boards.unit.${d.unit}`, d.unit)}`,
  },
  {
    key: "clear",
    head: t("boards.clear"),
    sort: (d) => Number(d.clear),
    cell: (d) => (d.lower === null ? "–" : t(d.clear ? "value.yes" : "value.no")),
  },
];
