/** The other sections of the donor or the stack: step through them, or choose one. */

import { useEffect, useMemo, useState } from "preact/hooks";
import { get, part } from "../../api";
import { Icon } from "../../components/Icon";
import { lang, t } from "../../i18n";
import { useItems } from "../../items";
import { navigate } from "../../router";
import type { Item, ItemDetail } from "../../types";
import { inOneColour } from "../oneColour";
import type { View } from "../plane";
import { carry, carryView, together } from "../registered";
import { toQuery, type ViewState } from "../view";

/** Sections beside this one, in order, this one included: its stack's, else those of its donor with the same kind. */
export function useSections(item: ItemDetail): Item[] {
  const { data } = useItems();
  return useMemo(() => {
    const items = data?.items ?? [];
    const order = item.sections_of_stack.map((section) => section.id);
    if (order.length > 1) {
      return order.flatMap((id) => items.find((one) => one.id === id) ?? []);
    }
    const kin = items.filter((one) => one.id === item.id || (item.donor !== null && one.donor === item.donor && one.kind === item.kind));
    return kin.sort((a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }));
  }, [data, item.id]);
}

/** One array for all: a new one each time would plan, and draw, each time. */
const NONE: ItemDetail[] = [];

/** Details of the sections of a registered stack, and of others where they are fanned out; one colour for one name. */
export function useDetails(item: ItemDetail, sections: readonly Item[], fanned: boolean): ItemDetail[] {
  const [details, setDetails] = useState<ItemDetail[]>([]);
  const wanted = fanned || item.place !== null;
  // Those of a stack are known before the list of all items is.
  const ids = (item.place ? item.sections_of_stack : sections).map((section) => section.id).join(" ");
  useEffect(() => {
    if (!wanted || ids === "") {
      return undefined;
    }
    const stop = new AbortController();
    // One that does not open must not keep the others from being seen.
    const ask = async (id: string) => (id === item.id ? item : get<ItemDetail>(`items/${part(id)}`, {}, stop.signal));
    Promise.allSettled(ids.split(" ").map(ask)).then((found) => {
      if (!stop.signal.aborted) {
        setDetails(inOneColour(found.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []))));
      }
    });
    return () => stop.abort();
  }, [ids, wanted, item.opening_others]);
  return wanted ? details : NONE;
}

/**
 * Go to another section and keep gene, panels and colours.
 *
 * In a registered stack the same place stays in the middle (`view`, where it is now), and the outline goes along.
 */
export function goTo(item: ItemDetail, id: string, state: ViewState, details: readonly ItemDetail[], view: View | null): void {
  const onto = details.find((one) => one.id === id);
  const stack = onto !== undefined && onto.id !== item.id && together(item, onto);
  const polygon = state.selection && "polygon" in state.selection ? state.selection.polygon : null;
  const words = toQuery({
    ...state,
    view: stack && view ? carryView(view, item, onto, () => [0, 0]) : null,
    selection: stack && polygon ? { polygon: polygon.map((point) => carry(point, item, onto)) } : null,
  });
  const kept = Object.entries({ ...words, lang: lang.get() }).filter((word): word is [string, string] => word[1] !== null);
  navigate(`/slide/${part(id)}?${new URLSearchParams(kept)}`, { replace: stack });
}

export function SectionStepper({ item, sections, onGo }: { item: ItemDetail; sections: readonly Item[]; onGo: (id: string) => void }) {
  const at = sections.findIndex((section) => section.id === item.id);
  if (sections.length < 2) {
    return null;
  }
  const step = (by: number) => {
    const next = sections[(at + by + sections.length) % sections.length];
    if (next) {
      onGo(next.id);
    }
  };
  return (
    <div class="stepper">
      <button type="button" class="square" aria-label={t("slide.section_before")} title={`${t("slide.section_before")} (,)`} onClick={() => step(-1)}>
        <Icon name="left" />
      </button>
      <select aria-label={t("slide.section_choose")} value={item.id} onChange={(event) => onGo(event.currentTarget.value)}>
        {sections.map((section) => (
          <option key={section.id} value={section.id}>
            {section.name}
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
