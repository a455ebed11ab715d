/** What a paper reports beside what was measured here, never in one column. */
import { useMemo, useState } from "preact/hooks";
import { part } from "../../api";
import { External } from "../../components/External";
import { Table, type Column } from "../../components/Table";
import { score, t } from "../../i18n";
import { Link } from "../../router";
import type { PaperResult } from "../../types";
import { useVocabulary } from "../../vocabulary";

/** Shown at first, beside every value that the paper reports; the scores that a claim is made on. */
const HEADLINES = ["pcc_gene", "depth_partial_pcc_gene", "composition_rmse"];

type Row = PaperResult & { row: number; lower: number | null; upper: number | null };

/** Put `x_lower` and `x_upper` beside the `x` of the same run. */
function withIntervals(results: PaperResult[]): Row[] {
  const name = (r: PaperResult, metric: string) => JSON.stringify([r.dataset, r.split, r.encoder, r.note, metric]);
  const ends = new Map(results.map((r) => [name(r, r.metric), r.measured]));
  return results
    .filter((r) => !/_(lower|upper)$/.test(r.metric))
    .map((r, row) => ({
      ...r,
      row,
      lower: ends.get(name(r, `${r.metric}_lower`)) ?? null,
      upper: ends.get(name(r, `${r.metric}_upper`)) ?? null,
    }));
}

export function Results({ results }: { results: PaperResult[] }) {
  const term = useVocabulary();
  const [all, setAll] = useState(false);
  const rows = useMemo(() => withIntervals(results), [results]);
  const headline = rows.filter((row) => row.reported !== null || HEADLINES.includes(row.metric));
  const shown = all || headline.length === 0 ? rows : headline;
  const columns: Column<Row>[] = [
    {
      key: "dataset",
      head: t("papers.dataset"),
      header: true,
      sort: (row) => row.dataset_name ?? row.dataset,
      cell: (row) => (
        <>
          {row.dataset_name ? <Link href={`/datasets/${part(row.dataset)}`}>{row.dataset_name}</Link> : row.dataset}
          {row.task && <span class="block small muted">{term("task", row.task)}</span>}
        </>
      ),
    },
    { key: "split", head: t("papers.split"), cell: (row) => <span lang="en">{row.split ?? "–"}</span> },
    { key: "encoder", head: t("papers.encoder"), cell: (row) => <span lang="en">{row.encoder ?? "–"}</span> },
    { key: "metric", head: t("papers.metric"), sort: (row) => row.metric, cell: (row) => <code>{row.metric}</code> },
    {
      key: "reported",
      head: t("papers.reported"),
      number: true,
      sort: (row) => row.reported,
      cell: (row) => score(row.reported),
    },
    {
      key: "measured",
      head: t("papers.measured"),
      number: true,
      sort: (row) => row.measured,
      cell: (row) => (
        <>
          {score(row.measured)}
          {row.lower !== null && (
            <span class="block small muted">
              [{score(row.lower)}, {score(row.upper)}]
            </span>
          )}
          {row.synthetic && row.measured !== null && <span class="block small muted">{t("papers.synthetic")}</span>}
        </>
      ),
    },
    {
      key: "source",
      head: t("papers.source"),
      class: "wide-cell",
      cell: (row) => (
        <span class="small" lang="en">
          {row.source && <External href={row.source}>{row.source}</External>} {row.note}
        </span>
      ),
    },
  ];
  return (
    <section class="section" aria-labelledby="results">
      <h2 id="results">{t("papers.results")}</h2>
      {results.length === 0 ? (
        <p class="muted">{t("papers.no_results")}</p>
      ) : (
        <>
          <p class="small muted">{t("papers.results_lead")}</p>
          <Table caption={t("papers.results")} columns={columns} rows={shown} rowKey={(row) => String(row.row)} />
          {shown.length < rows.length && (
            <div class="row">
              <button type="button" onClick={() => setAll(true)}>
                {t("papers.all_results", { n: rows.length })}
              </button>
            </div>
          )}
        </>
      )}
    </section>
  );
}
