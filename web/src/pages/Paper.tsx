/** One paper: its code ladder, its results, what is known of it and from where. */
import { useState } from "preact/hooks";
import { asApiError, part, post, useApi, type ApiError } from "../api";
import { Copy } from "../components/Copy";
import { Conflicts, Provenance } from "../components/Evidence";
import { External } from "../components/External";
import { Icon } from "../components/Icon";
import { Ladder, rungMeaning } from "../components/Ladder";
import { RecordButton } from "../components/Record";
import { ErrorState, Loading } from "../components/states";
import { lang, t } from "../i18n";
import { Link, navigate } from "../router";
import { useTitle } from "../title";
import type { Job, PaperDetail } from "../types";
import { useVocabulary } from "../vocabulary";
import { PaperFacts } from "./papers/PaperFacts";
import { Results } from "./papers/Results";

export function Paper({ key_ }: { key_: string }) {
  const { data, error, reload } = useApi<PaperDetail>(`papers/${part(key_)}`);
  useTitle(data?.record.title, t("papers.title"));
  return (
    <div class="page">
      <Link class="crumb" href="/papers">
        <Icon name="left" size={14} />
        {t("papers.title")}
      </Link>
      {error && <h1 class="unseen">{t("error.title")}</h1>}
      {error && <ErrorState error={error} retry={reload} />}
      {!data && !error && <Loading />}
      {data && <Shown paper={data} />}
    </div>
  );
}

function Shown({ paper }: { paper: PaperDetail }) {
  const { record } = paper;
  const note = (lang.get() === "zh" && record.note_zh) || record.note;
  return (
    <article class="page-article">
      <Head paper={paper} />
      <div class="with-aside right">
        <div class="sections">
          {note && (
            <p class="lead" lang={note === record.note_zh ? "zh-CN" : "en"}>
              {note}
            </p>
          )}
          <section class="section" aria-labelledby="ladder">
            <h2 id="ladder">{t("papers.ladder")}</h2>
            <Ladder level={paper.level} ladder={paper.ladder} />
            <p>
              <strong>{t("papers.level", { n: paper.level })}</strong> {rungMeaning(paper.level)}
            </p>
            {paper.reproduced.map((line) => (
              <p key={line} class="small" lang="en">
                {line}
              </p>
            ))}
            {record.code?.note && (
              <p class="small muted" lang="en">
                {record.code.note}
              </p>
            )}
          </section>
          <Results results={paper.results} />
          <Runs paper={paper} />
          <Conflicts conflicts={record.conflicts} />
          <section class="section" aria-labelledby="bibtex">
            <h2 id="bibtex">BibTeX</h2>
            <pre tabIndex={0} role="group" aria-labelledby="bibtex">
              <code>{paper.bibtex}</code>
            </pre>
          </section>
          <Provenance of={record.provenance} sources={paper.sources} />
        </div>
        <PaperFacts paper={paper} />
      </div>
    </article>
  );
}

function Head({ paper }: { paper: PaperDetail }) {
  const { record } = paper;
  const term = useVocabulary();
  const where = [record.venue?.name, record.volume, record.pages, record.year].filter(Boolean).join(", ");
  return (
    <header class="paper-head">
      <h1 lang="en">{record.title}</h1>
      {record.authors && (
        <p class="authors" lang="en">
          {record.authors.map(person).join(", ")}
        </p>
      )}
      <p class="row small">
        <span lang="en">{where}</span>
        <span class={record.status === "retracted" ? "tag bad" : "tag"}>{t(`papers.status.${record.status}`)}</span>
        {record.founding != null && <span class="tag accent">{t("papers.founding")}</span>}
        {record.tasks.map((task) => (
          <Link key={task} class="tag" href={`/papers?task=${part(task)}`}>
            {term("task", task)}
          </Link>
        ))}
      </p>
      {record.status === "retracted" && (
        <div class="notice bad" role="note">
          <Icon name="warn" />
          <p>{t("papers.retracted")}</p>
        </div>
      )}
      <div class="row">
        {paper.implemented[0] && <Run paper={paper} method={paper.implemented.join(", ")} />}
        {record.url && (
          <External class="button" href={record.url}>
            {t("papers.read")}
          </External>
        )}
        {record.code?.url && (
          <External class="button" href={record.code.url}>
            {t("papers.code")}
          </External>
        )}
        <Copy text={paper.bibtex} label={t("papers.bibtex")} />
      </div>
    </header>
  );
}

/** "Family, Given" as people write it. */
function person(name: string): string {
  const [family = "", given] = name.split(", ", 2);
  return given ? `${given} ${family}` : family === "others" ? "et al." : family;
}

function Run({ paper, method }: { paper: PaperDetail; method: string }) {
  const [error, setError] = useState<ApiError | null>(null);
  const [asked, setAsked] = useState(false);
  const run = async () => {
    setAsked(true);
    setError(null);
    try {
      await post<Job>(`papers/${part(paper.key)}/run`, {});
      navigate("/jobs");
    } catch (err) {
      setError(asApiError(err));
      setAsked(false);
    }
  };
  return (
    <>
      <button
        type="button"
        class="primary"
        disabled={asked}
        title={t("papers.run_note", { key: paper.key })}
        onClick={run}
      >
        <Icon name="play" />
        {t("papers.run", { name: method })}
      </button>
      {error && <ErrorState error={error} />}
    </>
  );
}

function Runs({ paper }: { paper: PaperDetail }) {
  if (paper.runs.length === 0) return null;
  return (
    <section class="section" aria-labelledby="runs">
      <h2 id="runs">{t("papers.runs")}</h2>
      <ul class="row">
        {paper.runs.map((run) => (
          <li key={`${run.benchmark}/${run.method}/${run.id}`}>
            <RecordButton record={run} label={`${run.method} · ${run.benchmark}`} />
          </li>
        ))}
      </ul>
    </section>
  );
}
