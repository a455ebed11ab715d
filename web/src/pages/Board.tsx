/** One benchmark: what must be read first, the figure, the tables, and what stands behind them. */
import { useState } from "preact/hooks";
import { part, useApi } from "../api";
import { Icon } from "../components/Icon";
import { Said } from "../components/Said";
import { ErrorState, Loading } from "../components/states";
import { Tabs } from "../components/Tabs";
import { pick, score, t, tOr } from "../i18n";
import { said } from "../said";
import { Link, setQuery, useQueryState } from "../router";
import { useTitle } from "../title";
import type { BoardDetail, BoardTable } from "../types";
import { Differences } from "./boards/Differences";
import { Figure } from "./boards/Figure";
import { Published } from "./boards/Published";
import { Scores } from "./boards/Scores";
import { PlainTable } from "./boards/PlainTable";
import { counts, Protocol } from "./Boards";

export function Board({ id }: { id: string }) {
  const { data, error, reload } = useApi<BoardDetail>(`boards/${part(id)}`);
  useTitle(data ? data.id : null, t("boards.title"));
  return (
    <div class="page">
      <Link class="crumb" href="/boards">
        <Icon name="left" size={14} />
        {t("boards.title")}
      </Link>
      {error && <h1 class="unseen">{t("error.title")}</h1>}
      {error && <ErrorState error={error} retry={reload} />}
      {!data && !error && <Loading />}
      {data && <Shown board={data} />}
    </div>
  );
}

function Shown({ board }: { board: BoardDetail }) {
  const [table, setTable] = useQueryState("table", board.tables[0]?.key ?? "");
  const tabs = board.tables.map((one) => ({
    key: one.key,
    label: one.heading ? said(pick(one.heading)).text : one.key || t("boards.panel"),
    content: () => <Panel board={board} table={one} />,
  }));
  return (
    <article class="page-article">
      <header class="paper-head">
        <h1>{pick(board.heading)}</h1>
        <p class="row small">
          <code>{board.id}</code>
          <Protocol protocol={board.protocol} />
          <span class="tag">{t("boards.version", { n: board.version })}</span>
          <span class="muted">
            {[
              counts(board.n),
              board.unit && t("boards.paired_by", { unit: tOr(`boards.unit.${board.unit}`, board.unit) }),
            ]
              .filter(Boolean)
              .join(" · ")}
          </span>
        </p>
      </header>
      <First board={board} />
      {tabs.length > 1 ? (
        <Tabs label={t("boards.tables")} tabs={tabs} selected={table} onSelect={setTable} />
      ) : (
        tabs[0]?.content()
      )}
      <Published board={board} />
      {board.cost && board.cost.rows.length > 0 && (
        <section class="section" aria-labelledby="cost">
          <h2 id="cost">{t("boards.cost")}</h2>
          <PlainTable caption={t("boards.cost")} table={board.cost} />
        </section>
      )}
      <Fixes board={board} />
    </article>
  );
}

function First({ board }: { board: BoardDetail }) {
  const metrics = [...new Set(board.wins.map((win) => win.metric))];
  const quiet = metrics.length === 0;
  return (
    <section class="section" aria-labelledby="first">
      <h2 id="first">{t("boards.first")}</h2>
      <ul class="first">
        {metrics.map((metric) => (
          <Wins key={metric} metric={metric} wins={board.wins.filter((win) => win.metric === metric)} />
        ))}
        {quiet && (
          <li class="notice good">
            <Icon name="check" />
            <p>{t("boards.no_win")}</p>
          </li>
        )}
        {board.failures.map((failure) => (
          <li key={failure.title} class="notice bad">
            <Icon name="wrong" />
            <p>
              {t("boards.failed", { method: failure.title })} <Said text={failure.message} />
            </p>
          </li>
        ))}
        {board.dirty && (
          <li class="notice warn">
            <Icon name="warn" />
            <p>{t("boards.dirty")}</p>
          </li>
        )}
      </ul>
      <ul class="sentences">
        {board.kind === "suite" && <li>{meaning(board)}</li>}
        {board.not_applicable?.map(({ title, reason }) => (
          <li key={title}>
            {t("boards.not_applicable", { method: title })} <Said text={reason} />
          </li>
        ))}
        {board.kind === "study" &&
          board.sentences
            .filter((sentence) => !sentence.startsWith("No control beats"))
            .map((sentence) => (
              <li key={sentence}>
                <Said text={sentence} />
              </li>
            ))}
        {board.notes.map((note) => (
          <li key={note.en}>{pick(note)}</li>
        ))}
      </ul>
    </section>
  );
}

/** What a score of a suite is a mean over, and whom its interval speaks for. */
const meaning = (board: BoardDetail): string =>
  board.unit === "donor"
    ? t("boards.over_donors", { n: board.n.donors ?? 0 })
    : t("boards.one_donor", { unit: tOr(`boards.unit.${board.unit}`, board.unit) });

/** Which methods a control beats, in one metric. */
function Wins({ metric, wins }: { metric: string; wins: BoardDetail["wins"] }) {
  return (
    <li class="notice bad wins">
      <Icon name="warn" />
      <div>
        <p class="notice-title">{t("boards.wins", { n: new Set(wins.map((win) => win.method)).size, metric })}</p>
        <table>
          <thead>
            <tr>
              <th scope="col">{t("boards.method")}</th>
              <th scope="col" class="number">
                {t("boards.own")}
              </th>
              <th scope="col">{t("boards.beaten_by")}</th>
            </tr>
          </thead>
          <tbody>
            {wins.map((win) => (
              <tr key={`${win.table} ${win.method}`}>
                <th scope="row">
                  {win.method}
                  {win.table && <span class="block small">{win.table}</span>}
                </th>
                <td class="number">{score(win.own)}</td>
                <td>{win.controls.map((control) => `${control.title} ${score(control.value)}`).join(" · ")}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </li>
  );
}

/** Figure, scores and differences of one table. */
function Panel({ board, table }: { board: BoardDetail; table: BoardTable }) {
  const [metric] = useQueryState("metric", board.metrics[0]?.name ?? "");
  const shown = board.metrics.find((one) => one.name === metric) ?? board.metrics[0];
  const first = board.tables[0]?.key;
  const differences = board.differences.filter((d) => (d.table ?? first) === table.key);
  if (!shown) return null;
  return (
    <div class="sections">
      <Figure
        table={table}
        metrics={board.metrics}
        metric={shown}
        onMetric={(name) => setQuery({ metric: name === board.metrics[0]?.name ? null : name })}
      />
      <Scores table={table} metrics={board.metrics} />
      {differences.length > 0 && <Differences differences={differences} />}
    </div>
  );
}

function Fixes({ board }: { board: BoardDetail }) {
  const [all, setAll] = useState(false);
  const rows = Object.entries(board.fixes);
  if (rows.length === 0) return null;
  return (
    <section class="section" aria-labelledby="fixes">
      <h2 id="fixes">{t("boards.fixes")}</h2>
      <div class="card">
        <dl class="facts" lang="en">
          {rows.map(([key, value]) => (
            <div key={key} class="contents">
              <dt>{key}</dt>
              <dd>{all || value.length < 400 ? value : `${value.slice(0, 400)} …`}</dd>
            </div>
          ))}
        </dl>
        {!all && rows.some(([, value]) => value.length >= 400) && (
          <button type="button" class="quiet" onClick={() => setAll(true)}>
            {t("table.more")}
          </button>
        )}
      </div>
    </section>
  );
}
