/** Which gene: search with completion, step by step, and whether its prediction can be trusted. */

import { useCallback, useEffect, useState } from "preact/hooks";
import { get, part } from "../../api";
import { Combobox } from "../../components/Combobox";
import { Icon } from "../../components/Icon";
import { t } from "../../i18n";
import type { Gene, Trust } from "../../types";

interface Page {
  total: number;
  genes: Gene[];
}

const STEP_PAGE = 200;
const pages = new Map<string, Promise<Page>>();

/** A page of the item's genes in the server's order (trusted first); asked for once. */
export function genePage(item: string, index: number): Promise<Page> {
  const key = `${item} ${index}`;
  let page = pages.get(key);
  if (!page) {
    page = get<Page>(`items/${part(item)}/genes`, { offset: index * STEP_PAGE, limit: STEP_PAGE });
    page.catch(() => pages.delete(key));
    pages.set(key, page);
  }
  return page;
}

/** Pages looked through for where a gene stands; one beyond them steps from the start of the list. */
const PAGES_SEARCHED = 5;

/** The gene `by` places after `name` in the server's order, around the ends. */
export async function neighbour(item: string, name: string | null, by: number): Promise<string | null> {
  const first = await genePage(item, 0);
  if (first.total === 0) {
    return null;
  }
  const count = Math.min(PAGES_SEARCHED, Math.ceil(first.total / STEP_PAGE));
  let at = -1;
  for (let k = 0; name !== null && k < count && at < 0; k++) {
    const found = (await genePage(item, k)).genes.findIndex((gene) => gene.name === name);
    at = found < 0 ? -1 : k * STEP_PAGE + found;
  }
  const next = at < 0 ? (by > 0 ? 0 : first.total - 1) : (at + by + first.total) % first.total;
  return (await genePage(item, Math.floor(next / STEP_PAGE))).genes[next % STEP_PAGE]?.name ?? null;
}

/** What the server says about one gene; null while it is asked or where the item does not have it. */
export function useGene(item: string, name: string | null): Gene | null {
  const [gene, setGene] = useState<Gene | null>(null);
  useEffect(() => {
    if (name === null) {
      setGene(null);
      return undefined;
    }
    const stop = new AbortController();
    get<Page>(`items/${part(item)}/genes`, { query: name, limit: 1 }, stop.signal).then(
      (page) => setGene(page.genes.find((one) => one.name === name) ?? null),
      () => undefined, // the values' own request says what is wrong
    );
    return () => stop.abort();
  }, [item, name]);
  return gene?.name === name ? gene : null;
}

export function TrustFlag({ trust, brief = false }: { trust: Trust | null; brief?: boolean }) {
  if (trust === null) {
    return null;
  }
  const [tone, icon] = ({ good: ["good", "check"], weak: ["warn", "warn"], none: ["bad", "wrong"] } as const)[trust];
  return (
    <span class={`tag ${tone}`} title={t(`slide.trust_${trust}_long`)}>
      <Icon name={icon} size={14} />
      {t(brief ? `slide.trust_${trust}` : `slide.trust_${trust}_long`)}
    </span>
  );
}

interface Props {
  item: string;
  gene: string | null;
  about: Gene | null;
  onGene: (name: string) => void;
  onStep: (by: number) => void;
}

export function GenePicker({ item, gene, about, onGene, onStep }: Props) {
  const load = useCallback(
    async (query: string, signal: AbortSignal) =>
      (await get<Page>(`items/${part(item)}/genes`, { query, limit: 50 }, signal)).genes,
    [item],
  );
  const chosen = gene === null ? null : (about ?? { name: gene, mean: 0, trust: null, reason: null });
  return (
    <div class="gene-picker">
      <div class="gene-row">
        <Combobox<Gene>
          label={t("slide.gene")}
          load={load}
          optionKey={(option) => option.name}
          optionText={(option) => option.name}
          render={(option) => (
            <span class="gene-option">
              <span>{option.name}</span>
              <TrustFlag trust={option.trust} brief />
            </span>
          )}
          chosen={chosen}
          onChoose={(option) => onGene(option.name)}
          placeholder={t("slide.gene_placeholder")}
        />
        <button type="button" class="square" aria-label={t("slide.gene_before")} title={`${t("slide.gene_before")} [`} onClick={() => onStep(-1)}>
          <Icon name="left" />
        </button>
        <button type="button" class="square" aria-label={t("slide.gene_next")} title={`${t("slide.gene_next")} ]`} onClick={() => onStep(1)}>
          <Icon name="right" />
        </button>
      </div>
      {about?.trust && (
        <div class="trust" role="status">
          <TrustFlag trust={about.trust} />
          {about.reason && <p>{about.reason}</p>}
        </div>
      )}
    </div>
  );
}
