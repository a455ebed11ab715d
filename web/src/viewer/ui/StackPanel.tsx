/** A registered stack: a slider over depth, and its sections in order with how well each lies on its neighbour. */

import { useEffect, useRef } from "preact/hooks";
import { Icon, type IconName } from "../../components/Icon";
import { num, t } from "../../i18n";
import type { Item, ItemDetail } from "../../types";
import type { Pair } from "../registered";

interface Props {
  item: ItemDetail;
  sections: readonly Item[];
  onGo: (id: string) => void;
}

const ICONS: Record<Pair["verdict"], IconName> = { ok: "check", doubtful: "warn", failed: "wrong" };

export function StackPanel({ item, sections, onGo }: Props) {
  const rows = item.sections_of_stack.flatMap((section) => {
    const name = sections.find(({ id }) => id === section.id)?.name;
    return name === undefined ? [] : [{ ...section, name }];
  });
  const at = rows.findIndex(({ id }) => id === item.id);
  const here = rows[at];
  const list = useRef<HTMLOListElement>(null);
  useEffect(() => {
    const row = list.current?.querySelector<HTMLElement>("[aria-current]");
    if (list.current && row) {
      list.current.scrollTop = row.offsetTop - list.current.clientHeight / 2;
    }
  }, [at]);
  if (!here) {
    return null;
  }
  const go = (to: number) => {
    const row = rows[(to + rows.length) % rows.length];
    if (row && row.id !== item.id) {
      onGo(row.id);
    }
  };
  return (
    <section class="part stack" aria-labelledby="stack-title">
      <h2 id="stack-title">{t("slide.stack", { n: rows.length })}</h2>
      <div class="stepper">
        <button type="button" class="square" aria-label={t("slide.section_before")} title={`${t("slide.section_before")} (,)`} onClick={() => go(at - 1)}>
          <Icon name="left" />
        </button>
        <input
          type="range"
          min={0}
          max={rows.length - 1}
          step={1}
          value={at}
          aria-label={t("slide.depth")}
          aria-valuetext={`${here.name}, ${depth(here.z_um)}`}
          onInput={(event) => go(Number(event.currentTarget.value))}
        />
        <button type="button" class="square" aria-label={t("slide.section_next")} title={`${t("slide.section_next")} (.)`} onClick={() => go(at + 1)}>
          <Icon name="right" />
        </button>
      </div>
      <ol class="stack-rows" ref={list}>
        {rows.map(({ id, name, z_um, pairs }) => (
          <li key={id}>
            <button type="button" aria-current={id === item.id ? "true" : undefined} onClick={() => id !== item.id && onGo(id)}>
              <span class="stack-name">{name}</span>
              <span class="stack-depth">{depth(z_um)}</span>
              {pairs.length ? pairs.map((pair) => <Verdict key={pair.fixed} pair={pair} />) : <span class="verdict none" />}
            </button>
          </li>
        ))}
      </ol>
      {here.pairs.map((pair) => (
        <div key={pair.fixed} class="stack-why">
          <p>{t(`slide.pair_${pair.verdict}`, { fixed: pair.fixed, overlap: Math.round(100 * pair.overlap) })}</p>
          {pair.reasons.length > 0 && <p lang="en">{pair.reasons.join("; ")}</p>}
        </div>
      ))}
      {item.place && item.place.off_um >= 1 && <p class="stack-why">{t("slide.stack_stretched", { um: num(item.place.off_um, { maximumFractionDigits: 0 }) })}</p>}
    </section>
  );
}

/** What an alignment is worth: a sign, a word and a colour. */
export function Verdict({ pair }: { pair: Pair }) {
  return (
    <span class={`verdict ${pair.verdict}`} title={t("slide.pair", { fixed: pair.fixed })}>
      <Icon name={ICONS[pair.verdict]} size={14} />
      {t(`slide.verdict_${pair.verdict}`)}
    </span>
  );
}

export const depth = (z_um: number | null) => (z_um === null ? "" : `${num(z_um, { maximumFractionDigits: 1 })} µm`);
