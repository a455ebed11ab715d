/** One data set: what is in it, under which licence, and what shares its donors. */
import { part, useApi } from "../api";
import { Conflicts } from "../components/Evidence";
import { External } from "../components/External";
import { Facts, type Fact } from "../components/Facts";
import { Icon } from "../components/Icon";
import { ErrorState, Loading } from "../components/states";
import { lang, num, t } from "../i18n";
import { Link } from "../router";
import { useTitle } from "../title";
import type { DatasetDetail, Named } from "../types";
import { useVocabulary, type Facet } from "../vocabulary";
import { Licence } from "./Datasets";

export function Dataset({ key_ }: { key_: string }) {
  const { data, error, reload } = useApi<DatasetDetail>(`datasets/${part(key_)}`);
  useTitle(data?.record.name, t("datasets.title"));
  return (
    <div class="page">
      <Link class="crumb" href="/datasets">
        <Icon name="left" size={14} />
        {t("datasets.title")}
      </Link>
      {error && <h1 class="unseen">{t("error.title")}</h1>}
      {error && <ErrorState error={error} retry={reload} />}
      {!data && !error && <Loading />}
      {data && <Shown dataset={data} />}
    </div>
  );
}

function Shown({ dataset }: { dataset: DatasetDetail }) {
  const { record } = dataset;
  const note = (lang.get() === "zh" && record.note_zh) || record.note;
  return (
    <article class="page-article">
      <header class="paper-head">
        <h1 lang="en">{record.name}</h1>
        <p class="row small">
          <span class={record.kind === "predicted" ? "tag warn" : "tag"}>{t(`datasets.kind.${record.kind}`)}</span>
          {record.aliases?.length ? (
            <span class="muted">{t("papers.also", { names: record.aliases.join(", ") })}</span>
          ) : null}
        </p>
        {record.kind === "predicted" && (
          <div class="notice warn" role="note">
            <Icon name="warn" />
            <p>{t("datasets.predicted_note")}</p>
          </div>
        )}
        {record.url && (
          <div class="row">
            <External class="button" href={record.url}>
              {t("datasets.get")}
            </External>
          </div>
        )}
      </header>
      <div class="with-aside right">
        <div class="sections">
          {note && (
            <p class="lead" lang={note === record.note_zh ? "zh-CN" : "en"}>
              {note}
            </p>
          )}
          <Others title={t("datasets.overlaps")} of={dataset.overlaps} note={t("datasets.overlap_note")} />
          {dataset.leaks.length > 0 && (
            <ul class="sentences" lang="en">
              {dataset.leaks.map((leak) => (
                <li key={leak}>{leak}</li>
              ))}
            </ul>
          )}
          <Others title={t("datasets.contained")} of={dataset.contained_in} />
          <Others title={t("datasets.contains")} of={dataset.contains} />
          {dataset.papers.length > 0 && (
            <section class="section" aria-labelledby="papers">
              <h2 id="papers">{t("datasets.papers")}</h2>
              <ul class="near">
                {dataset.papers.map((paper) => (
                  <li key={paper.key} lang="en">
                    <Link href={`/papers/${part(paper.key)}`}>{paper.title}</Link>{" "}
                    <span class="muted small">{paper.year}</span>
                  </li>
                ))}
              </ul>
            </section>
          )}
          <Conflicts conflicts={record.conflicts} />
        </div>
        <DatasetFacts dataset={dataset} />
      </div>
    </article>
  );
}

function Others({ title, of, note }: { title: string; of: Named[]; note?: string }) {
  if (of.length === 0) return null;
  return (
    <section class="section" aria-label={title}>
      <h2>{title}</h2>
      {note && <p class="small muted">{note}</p>}
      <ul class="row">
        {of.map((other) => (
          <li key={other.key} lang="en">
            <Link class="tag" href={`/datasets/${part(other.key)}`}>
              {other.name}
            </Link>
          </li>
        ))}
      </ul>
    </section>
  );
}

function DatasetFacts({ dataset }: { dataset: DatasetDetail }) {
  const { record, paper } = dataset;
  const term = useVocabulary();
  const terms = (facet: Facet, keys: string[]) => keys.map((key) => term(facet, key)).join(", ");
  const count = (n: number | null | undefined) => (n == null ? "" : num(n));
  const facts: Fact[] = [
    [t("datasets.paper"), paper && <Link href={`/papers/${part(paper.key)}`}>{paper.title}</Link>],
    [t("datasets.organs"), terms("organ", record.organs)],
    [t("datasets.species"), terms("species", record.species)],
    [t("datasets.technology"), terms("platform", record.technology)],
    [t("datasets.resolution"), terms("resolution", record.resolution)],
    [t("datasets.samples"), count(record.n_samples)],
    [t("datasets.donors"), count(record.n_donors)],
    [t("datasets.spots"), count(record.n_spots)],
    [t("datasets.histology"), record.histology == null ? "" : t(record.histology ? "value.yes" : "value.no")],
    [t("datasets.mpp"), record.image_mpp == null ? "" : `${num(record.image_mpp, { maximumFractionDigits: 3 })} µm/px`],
    [t("datasets.licence"), <Licence licence={record.licence} />],
    [t("datasets.unlicensed"), count(record.n_unlicensed)],
    [t("datasets.internal"), count(record.n_internal)],
    [t("datasets.gated"), record.gated == null ? "" : t(record.gated ? "datasets.gated.yes" : "datasets.gated.no")],
    [t("datasets.accession"), record.accession?.join(", ") ?? ""],
    [t("datasets.release"), record.release ?? ""],
    ["DOI", record.doi && <External href={`https://doi.org/${record.doi}`}>{record.doi}</External>],
    [t("papers.record"), <code>{dataset.key}</code>],
  ];
  return (
    <aside class="aside" aria-label={t("papers.facts")}>
      <div class="card">
        <Facts facts={facts} />
      </div>
    </aside>
  );
}
