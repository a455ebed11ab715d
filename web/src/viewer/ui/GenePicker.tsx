/** Which gene: search with completion, step by step, and whether its prediction can be trusted. */

import { useCallback, useEffect, useState } from "preact/hooks";
import { Combobox } from "../../components/Combobox";
import { Icon } from "../../components/Icon";
import { Said } from "../../components/Said";
import { t } from "../../i18n";
import type { Gene, Trust } from "../../types";
import { geneInfo, searchGenes, type GeneInfo } from "../genes";

/** What the server says about one gene; undefined while it is asked, null where the item does not have it. */
export function useGene(item: string, name: string | null): GeneInfo | null | undefined {
  const [found, setFound] = useState<{ key: string; gene: GeneInfo | null } | null>(null);
  const key = `${item} ${name}`;
  useEffect(() => {
    let current = true;
    if (name !== null) {
      geneInfo(item, name).then(
        (gene) => current && setFound({ key, gene }),
        () => undefined, // the values' own request says what is wrong
      );
    }
    return () => {
      current = false;
    };
  }, [item, name]);
  return found?.key === key ? found.gene : undefined;
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
  about: GeneInfo | null | undefined;
  onGene: (name: string) => void;
  /** A gene is pointed at: it may be the next. */
  onPoint: (name: string) => void;
  onStep: (by: number) => void;
}

export function GenePicker({ item, gene, about, onGene, onPoint, onStep }: Props) {
  const load = useCallback(
    async (query: string, signal: AbortSignal): Promise<Gene[]> => (await searchGenes(item, query, 50, signal)).genes,
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
          onPoint={(option) => onPoint(option.name)}
          placeholder={t("slide.gene_placeholder")}
        />
        <button type="button" class="square" aria-label={t("slide.gene_before")} title={`${t("slide.gene_before")} [`} onClick={() => onStep(-1)}>
          <Icon name="left" />
        </button>
        <button type="button" class="square" aria-label={t("slide.gene_next")} title={`${t("slide.gene_next")} ]`} onClick={() => onStep(1)}>
          <Icon name="right" />
        </button>
      </div>
      {about === null && gene !== null && (
        <p class="hint" role="status">
          {t("slide.gene_nowhere", { gene })} {t("slide.gene_nowhere_todo")}
        </p>
      )}
      {about?.trust && (
        <div class="trust" role="status">
          <TrustFlag trust={about.trust} />
          {about.reason && <p>
              <Said text={about.reason} />
            </p>}
        </div>
      )}
    </div>
  );
}
