import { useState } from "preact/hooks";
import { part, useApi } from "../api";
import { Icon, type IconName } from "../components/Icon";
import { JobCard } from "../components/JobCard";
import { pixels, Thumbnail } from "../components/Thumbnail";
import { EmptyState, ErrorState, Loading } from "../components/states";
import { t } from "../i18n";
import { useJobs } from "../jobs";
import { Link } from "../router";
import { useTitle } from "../title";
import { useItems } from "../items";
import type { Item, Meta } from "../types";

export function Home() {
  useTitle(t("home.title"));
  const meta = useApi<Meta>("meta");
  const { data, error, reload } = useItems();
  return (
    <div class="page">
      <header class="page-head">
        <div>
          <h1>{t("home.title")}</h1>
          <p class="lead">{meta.data?.demo ? t("home.demo") : t("home.lead")}</p>
        </div>
      </header>
      {error && <ErrorState error={error} retry={reload} />}
      {!data && !error && <Loading />}
      {data && (data.items.length > 0 || !data.making) && <Opened items={data.items} />}
      {data?.making && <Loading label={t("home.making")} />}
      {data?.making_error && <ErrorState error={data.making_error} />}
      <Ways />
      <RecentJobs />
      <footer class="muted small">
        HistoScribe {meta.data?.version} · {t("foot.research")}
      </footer>
    </div>
  );
}

function Opened({ items }: { items: Item[] }) {
  const [text, setText] = useState("");
  if (items.length === 0) {
    return (
      <EmptyState title={t("home.empty")}>
        <p>{t("home.empty_todo")}</p>
        <pre>
          <code>histoscribe studio slide.svs section.h5ad prediction.h5ad breast.bundle</code>
        </pre>
        <Link class="button primary" href="/predict">
          {t("home.do.predict")}
        </Link>
      </EmptyState>
    );
  }
  const want = text.trim().toLowerCase();
  const shown = items.filter((item) => `${item.name} ${item.donor ?? ""} ${item.file}`.toLowerCase().includes(want));
  return (
    <section class="section" aria-labelledby="opened">
      <div class="section-head">
        <h2 id="opened">
          {t("home.opened")} <span class="muted small">{t("home.count", { n: items.length })}</span>
        </h2>
        {items.length > 6 && (
          <input
            type="search"
            aria-label={t("home.filter")}
            placeholder={t("home.filter")}
            value={text}
            onInput={(event) => setText(event.currentTarget.value)}
          />
        )}
      </div>
      {shown.length === 0 && <p class="muted">{t("home.none_match")}</p>}
      <ul class="cards">
        {shown.map((item) => (
          <ItemCard key={item.id} item={item} />
        ))}
      </ul>
    </section>
  );
}

function ItemCard({ item }: { item: Item }) {
  const facts = [
    item.donor ? t("home.donor", { name: item.donor }) : null,
    item.n_observations ? t("home.observations", { n: item.n_observations }) : null,
    item.n_genes ? t("home.genes", { n: item.n_genes }) : null,
  ].filter(Boolean);
  return (
    <li class="item-card">
      <Link href={`/slide/${part(item.id)}`}>
        <span class="item-picture">
          <Thumbnail item={item} max_px={512} />
        </span>
        <span class="item-text">
          <span class={`tag ${item.kind === "prediction" ? "accent" : ""}`}>{t(`home.kind.${item.kind}`)}</span>
          <strong>{item.name}</strong>
          {facts.length > 0 && <span class="small">{facts.join(" · ")}</span>}
          <span class="muted small">{pixels(item)}</span>
          {item.compare.length > 0 && <span class="muted small">{t("home.compare", { n: item.compare.length })}</span>}
          {item.stack && <span class="muted small">{t("home.stack")}</span>}
        </span>
      </Link>
      {item.error && <ErrorState error={item.error} />}
    </li>
  );
}

function Ways() {
  const ways: [string, IconName, "predict" | "boards" | "papers"][] = [
    ["/predict", "play", "predict"],
    ["/boards", "record", "boards"],
    ["/papers", "search", "papers"],
  ];
  return (
    <section class="section" aria-labelledby="ways">
      <h2 id="ways">{t("home.do")}</h2>
      <ul class="ways">
        {ways.map(([href, icon, key]) => (
          <li key={key}>
            <Link href={href} class="way">
              <Icon name={icon} size={20} />
              <span>
                <strong>{t(`home.do.${key}`)}</strong>
                <span class="small">{t(`home.do.${key}_text`)}</span>
              </span>
            </Link>
          </li>
        ))}
      </ul>
    </section>
  );
}

function RecentJobs() {
  const { jobs, reload } = useJobs();
  if (!jobs || jobs.length === 0) return null;
  return (
    <section class="section" aria-labelledby="recent">
      <div class="section-head">
        <h2 id="recent">{t("home.jobs")}</h2>
        <Link href="/jobs">{t("home.all_jobs")}</Link>
      </div>
      <div class="stack">
        {jobs.slice(0, 3).map((job) => (
          <JobCard key={job.id} job={job} onChange={reload} />
        ))}
      </div>
    </section>
  );
}
