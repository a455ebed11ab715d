/** The table of scores: methods and controls in one, controls marked, a record behind every row. */
import { useMemo } from "preact/hooks";
import { RecordButton } from "../../components/Record";
import { Table, type Column } from "../../components/Table";
import { score, t, tOr } from "../../i18n";
import { said } from "../../said";
import type { BoardRow, BoardTable, Metric } from "../../types";
import { sense } from "./Figure";

const ARROW = { higher: "↑", lower: "↓", nearer: "→" };

export function Scores({ table, metrics }: { table: BoardTable; metrics: Metric[] }) {
  const columns = useMemo(() => columnsOf(metrics), [metrics]);
  return (
    <section class="section" aria-labelledby="scores">
      <h2 id="scores">{t("boards.scores")}</h2>
      <Table
        caption={t("boards.scores")}
        columns={columns}
        rows={table.rows}
        rowKey={(row) => row.title}
        rowClass={(row) => (row.kind === "method" ? undefined : "control-row")}
      />
      {table.ceilings.length > 0 && (
        <ul class="small muted">
          {table.ceilings.map(({ label, scores }) => (
            <li key={label}>
              {t(`boards.ceiling.${label}`)}:{" "}
              {Object.entries(scores)
                .filter(([, value]) => value !== null)
                .map(([metric, value]) => `${metric} ${score(value)}`)
                .join(", ")}
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

function columnsOf(metrics: Metric[]): Column<BoardRow>[] {
  return [
    {
      key: "title",
      head: t("boards.row"),
      header: true,
      class: "row-name",
      sort: (row) => row.title,
      cell: (row) => <Name row={row} />,
    },
    {
      key: "record",
      head: t("boards.record"),
      cell: (row) => (
        <span class="records">
          {row.records.map((record) => (
            <RecordButton key={record.id} record={record} quiet />
          ))}
        </span>
      ),
    },
    ...metrics.map((metric): Column<BoardRow> => ({
      key: metric.name,
      name: metric.name,
      head: (
        <>
          <code>{metric.name}</code> {ARROW[metric.direction]}
        </>
      ),
      title: `${said(metric.summary).text} (${sense(metric)})`,
      number: true,
      low: metric.direction === "lower",
      sort: (row) => row.scores[metric.name]?.value,
      cell: (row) => <Cell row={row} metric={metric.name} />,
    })),
  ];
}

function Name({ row }: { row: BoardRow }) {
  const control = row.kind !== "method";
  return (
    <>
      {row.title}
      {control && <span class="tag control-tag">{tOr(`boards.kind.${row.kind}`, t("boards.control"))}</span>}
      {row.label && (
        <span class="block small muted" lang={row.label === "baseline" ? undefined : "en"}>
          {row.label === "baseline" ? t("boards.baseline") : row.label}
        </span>
      )}
    </>
  );
}

function Cell({ row, metric }: { row: BoardRow; metric: string }) {
  const value = row.scores[metric];
  if (!value) return <span class="muted">–</span>;
  return (
    <>
      {score(value.value)}
      {value.lower != null && value.upper != null && (
        <span class="block small muted">
          [{score(value.lower)}, {score(value.upper)}]
        </span>
      )}
    </>
  );
}
