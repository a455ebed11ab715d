/** The facts beside a paper, and its neighbours. */
import type { ComponentChildren } from "preact";
import { part } from "../../api";
import { External } from "../../components/External";
import { Facts, type Fact } from "../../components/Facts";
import { t, tOr } from "../../i18n";
import { Link } from "../../router";
import type { PaperDetail, PaperRecord } from "../../types";
import { useVocabulary, type Facet } from "../../vocabulary";
import { Licence } from "../Datasets";

const doi = (id: string): string => `https://doi.org/${id.split("/").map(encodeURIComponent).join("/")}`;
const arxiv = (id: string): string => `https://arxiv.org/abs/${id.split("/").map(encodeURIComponent).join("/")}`;

export function PaperFacts({ paper }: { paper: PaperDetail }) {
  const { record } = paper;
  const term = useVocabulary();
  const terms = (facet: Facet, keys: string[] | undefined) => keys?.map((key) => term(facet, key)).join(", ") ?? "";
  const { modality, code, method } = record;
  const facts: Fact[] = [
    [t("papers.method"), method && <Method method={method} />],
    ["DOI", record.doi && <External href={doi(record.doi)}>{record.doi}</External>],
    ["arXiv", record.arxiv && <External href={arxiv(record.arxiv)}>{record.arxiv}</External>],
    [t("papers.approach"), terms("approach", record.approach)],
    [t("papers.inputs"), terms("data", modality?.inputs)],
    [t("papers.outputs"), terms("data", modality?.outputs)],
    [t("papers.histology"), modality?.histology ? t(`papers.histology.${modality.histology}`) : ""],
    [t("papers.platform"), terms("platform", modality?.platforms)],
    [t("papers.resolution"), terms("resolution", modality?.resolution)],
    [t("papers.organ"), terms("organ", modality?.organs)],
    [t("papers.species"), terms("species", modality?.species)],
    [t("nav.datasets"), <Datasets paper={paper} />],
    [t("papers.repository"), code?.url && <External href={code.url} />],
    [t("papers.licence"), code && <Licence licence={code.licence} />],
    [t("papers.last_commit"), code?.last_commit ?? ""],
    [t("papers.versions"), record.versions?.length ? <Versions record={record} /> : null],
    [t("papers.record"), <code>{paper.key}</code>],
  ];
  const some = paper.datasets.length + (record.datasets_unlisted?.length ?? 0) > 0;
  return (
    <aside class="aside" aria-label={t("papers.facts")}>
      <div class="card">
        <Facts facts={facts.filter(([name]) => name !== t("nav.datasets") || some)} />
      </div>
      {paper.near.length > 0 && (
        <section class="section" aria-labelledby="near">
          <h2 id="near">{t("papers.near")}</h2>
          <ul class="near">
            {paper.near.map((other) => (
              <li key={other.key} lang="en">
                <Link href={`/papers/${part(other.key)}`}>{other.title}</Link>{" "}
                <span class="muted small">{other.year}</span>
              </li>
            ))}
          </ul>
        </section>
      )}
    </aside>
  );
}

function Method({ method }: { method: NonNullable<PaperRecord["method"]> }): ComponentChildren {
  const others = method.aliases ?? [];
  return (
    <span lang="en">
      {method.name}
      {others.length > 0 && <span class="block small muted">{t("papers.also", { names: others.join(", ") })}</span>}
    </span>
  );
}

function Datasets({ paper }: { paper: PaperDetail }) {
  return (
    <ul>
      {paper.datasets.map((dataset) => (
        <li key={dataset.key}>
          <Link href={`/datasets/${part(dataset.key)}`}>{dataset.name}</Link>
        </li>
      ))}
      {paper.record.datasets_unlisted?.map((name) => (
        <li key={name}>{name}</li>
      ))}
    </ul>
  );
}

function Versions({ record }: { record: PaperRecord }) {
  return (
    <ul>
      {record.versions?.map((version, i) => {
        const href = version.arxiv ? arxiv(version.arxiv) : version.doi ? doi(version.doi) : version.url;
        const kind = tOr(`papers.version.${version.kind}`, version.kind);
        return (
          <li key={i}>
            {href ? <External href={href}>{kind}</External> : kind} <span class="muted">{version.date}</span>
          </li>
        );
      })}
    </ul>
  );
}
