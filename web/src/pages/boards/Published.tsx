/** What papers print: apart from what was measured here, and never ranked with it. */
import { part } from "../../api";
import { Table, type Column } from "../../components/Table";
import { score, t } from "../../i18n";
import { Link } from "../../router";
import type { BoardDetail } from "../../types";
import { PlainTable } from "./PlainTable";

type Elsewhere = BoardDetail["elsewhere"][number];

export function Published({ board }: { board: BoardDetail }) {
  return (
    <>
      {board.published && (
        <section class="section" aria-labelledby="published">
          <h2 id="published">{t("boards.published")}</h2>
          <p class="small muted">{t("boards.published_lead")}</p>
          <PlainTable caption={t("boards.published")} table={board.published} />
          {board.published_sources.length > 0 && (
            <ul class="small muted" lang="en">
              {board.published_sources.map((source) => (
                <li key={source}>{source}</li>
              ))}
            </ul>
          )}
        </section>
      )}
      {board.elsewhere.length > 0 && (
        <section class="section" aria-labelledby="elsewhere">
          <h2 id="elsewhere">{t("boards.elsewhere")}</h2>
          <p class="small muted">{t("boards.elsewhere_lead")}</p>
          {sourcesOf(board.elsewhere).map((rows) => (
            <Source key={`${rows[0].suite} ${rows[0].text}`} rows={rows} />
          ))}
        </section>
      )}
    </>
  );
}

/** Values that were read in the same place, under the same protocol. */
function sourcesOf(values: Elsewhere[]): [Elsewhere, ...Elsewhere[]][] {
  const found = new Map<string, [Elsewhere, ...Elsewhere[]]>();
  for (const value of values) {
    const key = `${value.suite} ${value.text}`;
    const rows = found.get(key);
    if (rows) rows.push(value);
    else found.set(key, [value]);
  }
  return [...found.values()];
}

function Source({ rows }: { rows: [Elsewhere, ...Elsewhere[]] }) {
  const { source, text, suite, second_hand } = rows[0];
  const metrics = [...new Set(rows.map((row) => row.metric))];
  const methods = [...new Set(rows.map((row) => row.method))];
  const columns: Column<string>[] = [
    { key: "method", head: t("boards.method"), header: true, sort: (method) => method, cell: (method) => method },
    ...metrics.map((metric): Column<string> => {
      const value = (method: string) => rows.find((row) => row.method === method && row.metric === metric)?.value;
      return { key: metric, head: metric, number: true, sort: value, cell: (method) => score(value(method)) };
    }),
  ];
  return (
    <details class="card fold">
      <summary lang="en">
        {t("boards.elsewhere_n", { source: source || suite, n: rows.length })}{" "}
        {second_hand && <span class="tag warn">{t("boards.second_hand")}</span>}
      </summary>
      <div class="stack">
        <p class="small muted" lang="en">
          {source && <Link href={`/papers/${part(source)}`}>{source}</Link>} {text} <code>{suite}</code>
        </p>
        <Table caption={text} columns={columns} rows={methods} rowKey={(method) => method} />
      </div>
    </details>
  );
}
