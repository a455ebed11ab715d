/** All data sets: few enough to filter here. */
import { useMemo, useState } from "preact/hooks";
import { part, useApi } from "../api";
import { Table, type Column } from "../components/Table";
import { EmptyState, ErrorState, Loading } from "../components/states";
import { num, t } from "../i18n";
import { Link, setQuery, useQueryState } from "../router";
import { useTitle } from "../title";
import type { DatasetLine } from "../types";
import { useVocabulary, type Facet } from "../vocabulary";
import { SearchField } from "./Papers";

const KINDS = ["cohort", "collection", "portal", "predicted"] as const;
const MANY = 60;

export function Datasets() {
  useTitle(t("datasets.title"));
  const [query] = useQueryState("query");
  const [kind] = useQueryState("kind");
  const [histology] = useQueryState("histology");
  const [all, setAll] = useState(false);
  const term = useVocabulary();
  const { data, error, reload } = useApi<{ datasets: DatasetLine[] }>("datasets", { query });
  const columns = useMemo(() => columnsOf(term), [term]);
  const found =
    data?.datasets.filter((row) => (!kind || row.kind === kind) && (!histology || row.histology === true)) ?? [];
  const shown = all ? found : found.slice(0, MANY);
  return (
    <div class="page">
      <header class="page-head">
        <div>
          <h1>{t("datasets.title")}</h1>
          <p class="lead">{t("datasets.lead")}</p>
        </div>
      </header>
      <div class="row">
        <SearchField label={t("datasets.search")} placeholder={t("datasets.hint")} />
        <select
          aria-label={t("datasets.kind")}
          value={kind}
          onChange={(event) => setQuery({ kind: event.currentTarget.value })}
        >
          <option value="">{t("datasets.all_kinds")}</option>
          {KINDS.map((key) => (
            <option key={key} value={key}>
              {t(`datasets.kind.${key}`)}
            </option>
          ))}
        </select>
        <label class="row check-line">
          <input
            type="checkbox"
            checked={histology !== ""}
            onChange={(event) => setQuery({ histology: event.currentTarget.checked ? "1" : null })}
          />
          {t("datasets.only_histology")}
        </label>
      </div>
      {error && <ErrorState error={error} retry={reload} />}
      {!data && !error && <Loading />}
      {data && (
        <section class="section" aria-labelledby="found">
          <h2 id="found">
            <span role="status">{t("datasets.count", { n: found.length })}</span>
          </h2>
          {found.length === 0 ? (
            <EmptyState title={t("datasets.nothing")}>
              <p>{t("papers.nothing_todo")}</p>
            </EmptyState>
          ) : (
            <Table caption={t("datasets.title")} columns={columns} rows={shown} rowKey={(row) => row.key} />
          )}
          {shown.length < found.length && (
            <div class="row">
              <button type="button" onClick={() => setAll(true)}>
                {t("table.more")}
              </button>
              <span class="muted small">{t("papers.range", { from: 1, to: shown.length, n: found.length })}</span>
            </div>
          )}
        </section>
      )}
    </div>
  );
}

function columnsOf(term: (facet: Facet, key: string) => string): Column<DatasetLine>[] {
  const terms = (facet: Facet, keys: string[]) => keys.map((key) => term(facet, key)).join(", ");
  const count = (key: "n_samples" | "n_donors" | "n_spots", head: string): Column<DatasetLine> => ({
    key,
    head,
    number: true,
    sort: (row) => row[key],
    cell: (row) => (row[key] === null ? <span class="muted">–</span> : num(row[key] ?? 0)),
  });
  return [
    {
      key: "name",
      head: t("datasets.name"),
      header: true,
      sort: (row) => row.name.toLowerCase(),
      cell: (row) => (
        <span lang="en">
          <Link href={`/datasets/${part(row.key)}`}>{row.name}</Link>
        </span>
      ),
    },
    {
      key: "kind",
      head: t("datasets.kind"),
      sort: (row) => row.kind,
      cell: (row) => (
        <span class={row.kind === "predicted" ? "tag warn" : "tag"}>{t(`datasets.kind.${row.kind}`)}</span>
      ),
    },
    { key: "organs", head: t("datasets.organs"), class: "wide-cell", cell: (row) => terms("organ", row.organs) },
    {
      key: "technology",
      head: t("datasets.technology"),
      class: "wide-cell",
      cell: (row) => terms("platform", row.technology),
    },
    count("n_samples", t("datasets.samples")),
    count("n_donors", t("datasets.donors")),
    count("n_spots", t("datasets.spots")),
    {
      key: "histology",
      head: t("datasets.histology"),
      sort: (row) => (row.histology === null ? null : Number(!row.histology)),
      cell: (row) =>
        row.histology === null ? <span class="muted">–</span> : t(row.histology ? "value.yes" : "value.no"),
    },
    {
      key: "licence",
      head: t("datasets.licence"),
      sort: (row) => row.licence,
      cell: (row) => <Licence licence={row.licence} />,
    },
  ];
}

/** A licence's name; that there is none is known, that none was read is not. */
export function Licence({ licence }: { licence: string | null | undefined }) {
  if (!licence) return <span class="muted">{t("papers.not_read")}</span>;
  return licence === "none" ? <>{t("papers.licence_none")}</> : <span lang="en">{licence}</span>;
}
