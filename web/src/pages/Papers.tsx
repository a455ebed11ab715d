/** Search and filters over the catalogue; the address holds them all. */
import { useEffect, useState } from "preact/hooks";
import { part, useApi } from "../api";
import { Icon } from "../components/Icon";
import { rungName, SmallLadder } from "../components/Ladder";
import { EmptyState, ErrorState, Loading } from "../components/states";
import { t } from "../i18n";
import { Link, setQuery, usePlace, useQueryState } from "../router";
import { useTitle } from "../title";
import type { PaperLine, PaperList } from "../types";
import { useVocabulary, type Facet } from "../vocabulary";
import { Filters } from "./papers/Filters";

const SORTS = ["relevance", "newest", "oldest", "title", "level"] as const;
const PAGE = 25;

export function Papers() {
  useTitle(t("papers.title"));
  const { query } = usePlace();
  const term = useVocabulary();
  const at = Math.max(0, Number(query.get("offset")) || 0);
  const text = query.get("query") ?? "";
  const sort = query.get("sort") ?? "relevance";
  const { data, error, loading, reload } = useApi<PaperList>("papers", {
    query: text,
    task: query.get("task"),
    year_from: query.get("year_from"),
    year_to: query.get("year_to"),
    rung: query.get("rung"),
    implemented: query.get("implemented"),
    sort,
    offset: at,
    limit: PAGE,
  });
  return (
    <div class="page">
      <header class="page-head">
        <div>
          <h1>{t("papers.title")}</h1>
          <p class="lead">{t("papers.lead")}</p>
        </div>
      </header>
      <SearchField label={t("papers.search")} placeholder={t("papers.search_hint")} />
      <div class="with-aside">
        <Filters facets={data?.facets ?? null} term={term} />
        <section class="section" aria-labelledby="found" aria-busy={loading}>
          <div class="section-head">
            <h2 id="found">
              <span role="status">{data ? t("papers.count", { n: data.total }) : t("state.loading")}</span>
            </h2>
            <label class="row small">
              <span class="muted">{t("papers.sort")}</span>
              <select
                value={sort}
                onChange={(event) =>
                  setQuery({
                    sort: event.currentTarget.value === "relevance" ? null : event.currentTarget.value,
                    offset: null,
                  })
                }
              >
                {SORTS.map((key) => (
                  <option key={key} value={key}>
                    {t(`papers.sort.${key}`)}
                  </option>
                ))}
              </select>
            </label>
          </div>
          <Chips term={term} />
          {error && <ErrorState error={error} retry={reload} />}
          {!data && !error && <Loading />}
          {data?.total === 0 && (
            <EmptyState title={t("papers.nothing")}>
              <p>{t("papers.nothing_todo")}</p>
            </EmptyState>
          )}
          {data && data.total > 0 && (
            <>
              <ul class="lines">
                {data.papers.map((paper) => (
                  <Line key={paper.key} paper={paper} term={term} />
                ))}
              </ul>
              <Pages total={data.total} at={at} />
            </>
          )}
          <p class="muted small">{t("papers.foot")}</p>
        </section>
      </div>
    </div>
  );
}

/** A search field whose text becomes the query a moment after the last key. */
export function SearchField({ label, placeholder }: { label: string; placeholder: string }) {
  const [query] = useQueryState("query");
  const [text, setText] = useState(query);
  useEffect(() => setText(query), [query]);
  useEffect(() => {
    if (text === query) return undefined;
    const timer = setTimeout(() => setQuery({ query: text.trim(), offset: null }), 200);
    return () => clearTimeout(timer);
  }, [text]);
  return (
    <search class="search-field">
      <Icon name="search" />
      <input
        type="search"
        aria-label={label}
        placeholder={placeholder}
        value={text}
        onInput={(event) => setText(event.currentTarget.value)}
      />
    </search>
  );
}

function Line({ paper, term }: { paper: PaperLine; term: (facet: Facet, key: string) => string }) {
  const where = [paper.authors_short, paper.venue, paper.year].filter(Boolean).join(" · ");
  return (
    <li class="line">
      <div>
        <h3 lang="en">
          <Link href={`/papers/${part(paper.key)}`}>{paper.title}</Link>
        </h3>
        <p class="small muted" lang="en">
          {where}
        </p>
        <p class="row tags">
          {paper.tasks.map((task) => (
            <span key={task} class="tag">
              {term("task", task)}
            </span>
          ))}
          {paper.implemented.length > 0 && (
            <span class="tag good">{t("papers.implements", { name: paper.implemented.join(", ") })}</span>
          )}
          {paper.status === "retracted" && <span class="tag bad">{t("papers.status.retracted")}</span>}
        </p>
      </div>
      <SmallLadder level={paper.code_rung} />
    </li>
  );
}

/** What is filtered at present, each with a button that takes it out. */
function Chips({ term }: { term: (facet: Facet, key: string) => string }) {
  const { query } = usePlace();
  const [task, from, to, rung] = ["task", "year_from", "year_to", "rung"].map((key) => query.get(key));
  const chips: [string, Record<string, null>][] = [];
  if (task) chips.push([term("task", task), { task: null }]);
  if (from || to)
    chips.push([from === to ? `${from}` : `${from ?? ""}–${to ?? ""}`, { year_from: null, year_to: null }]);
  if (rung) chips.push([`≥ ${rungName(Number(rung))}`, { rung: null }]);
  if (query.get("implemented")) chips.push([t("papers.implemented"), { implemented: null }]);
  if (chips.length === 0) return null;
  const all = Object.assign({}, ...chips.map(([, change]) => change));
  return (
    <div class="row">
      {chips.map(([name, change]) => (
        <button
          key={name}
          type="button"
          class="chip"
          aria-label={t("papers.remove", { name })}
          onClick={() => setQuery({ ...change, offset: null })}
        >
          {name}
          <Icon name="close" size={12} />
        </button>
      ))}
      {chips.length > 1 && (
        <button type="button" class="quiet" onClick={() => setQuery({ ...all, offset: null })}>
          {t("papers.clear_all")}
        </button>
      )}
    </div>
  );
}

function Pages({ total, at }: { total: number; at: number }) {
  if (total <= PAGE) return null;
  const go = (offset: number) => {
    setQuery({ offset: offset || null }, { replace: false });
    scrollTo(0, 0);
  };
  return (
    <nav class="pages" aria-label={t("papers.pages")}>
      <button type="button" disabled={at === 0} onClick={() => go(Math.max(0, at - PAGE))}>
        <Icon name="left" size={14} />
        {t("papers.previous")}
      </button>
      <span class="small muted">{t("papers.range", { from: at + 1, to: Math.min(at + PAGE, total), n: total })}</span>
      <button type="button" disabled={at + PAGE >= total} onClick={() => go(at + PAGE)}>
        {t("papers.next")}
        <Icon name="right" size={14} />
      </button>
    </nav>
  );
}
