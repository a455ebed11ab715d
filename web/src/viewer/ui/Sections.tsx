/** The other sections of the donor or the stack: step through them, or choose one. */

import { useEffect, useState } from "preact/hooks";
import { get, part, useApi } from "../../api";
import { Icon } from "../../components/Icon";
import { lang, t } from "../../i18n";
import { navigate } from "../../router";
import type { Item, ItemDetail } from "../../types";
import { toQuery, type ViewState } from "../view";

/** Sections beside this one, in order, this one included: its stack's, else those of its donor with the same kind. */
export function useSections(item: ItemDetail): Item[] {
  const { data } = useApi<{ items: Item[] }>("items");
  const items = data?.items ?? [];
  const order = item.sections_of_stack.map((section) => section.id);
  if (order.length > 1) {
    return order.flatMap((id) => items.find((one) => one.id === id) ?? []);
  }
  const kin = items.filter((one) => one.id === item.id || (item.donor !== null && one.donor === item.donor && one.kind === item.kind));
  return kin.sort((a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }));
}

/** One array for all: a new one each time would plan, and draw, each time. */
const NONE: ItemDetail[] = [];

/** Their details, asked for only when they are fanned out. */
export function useDetails(sections: readonly Item[], wanted: boolean): ItemDetail[] {
  const [details, setDetails] = useState<ItemDetail[]>([]);
  const ids = sections.map((section) => section.id).join(" ");
  useEffect(() => {
    if (!wanted || ids === "") {
      return undefined;
    }
    const stop = new AbortController();
    // One that does not open must not keep the others from being seen.
    Promise.allSettled(ids.split(" ").map((id) => get<ItemDetail>(`items/${part(id)}`, {}, stop.signal))).then((found) => {
      if (!stop.signal.aborted) {
        setDetails(found.flatMap((one) => (one.status === "fulfilled" ? [one.value] : [])));
      }
    });
    return () => stop.abort();
  }, [ids, wanted]);
  return wanted ? details : NONE;
}

/** Go to another section and keep gene, panels and colours; the place stays only where sections share a frame. */
export function goTo(item: ItemDetail, id: string, state: ViewState): void {
  const here = new URLSearchParams(location.search).get("at");
  // The state and not the address, which follows a moment later.
  const words = { ...toQuery({ ...state, selection: null }), at: item.stack === null ? null : here, lang: lang.get() };
  const kept = Object.entries(words).filter((word): word is [string, string] => word[1] !== null);
  navigate(`/slide/${part(id)}?${new URLSearchParams(kept)}`);
}

export function SectionStepper({ item, sections, state }: { item: ItemDetail; sections: readonly Item[]; state: ViewState }) {
  const at = sections.findIndex((section) => section.id === item.id);
  if (sections.length < 2) {
    return null;
  }
  const depths = new Map(item.sections_of_stack.filter(({ z_um }) => z_um !== null).map(({ id, z_um }) => [id, z_um]));
  const step = (by: number) => {
    const next = sections[(at + by + sections.length) % sections.length];
    if (next) {
      goTo(item, next.id, state);
    }
  };
  return (
    <div class="stepper">
      <button type="button" class="square" aria-label={t("slide.section_before")} title={`${t("slide.section_before")} (,)`} onClick={() => step(-1)}>
        <Icon name="left" />
      </button>
      <select aria-label={t("slide.section_choose")} value={item.id} onChange={(event) => goTo(item, event.currentTarget.value, state)}>
        {sections.map((section) => (
          <option key={section.id} value={section.id}>
            {section.name}
            {depths.has(section.id) && ` · ${depths.get(section.id)} µm`}
          </option>
        ))}
      </select>
      <button type="button" class="square" aria-label={t("slide.section_next")} title={`${t("slide.section_next")} (.)`} onClick={() => step(1)}>
        <Icon name="right" />
      </button>
      <span class="muted small">{t("slide.section_at", { at: at + 1, n: sections.length })}</span>
    </div>
  );
}
