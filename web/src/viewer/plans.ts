/** Which panels a view has, and what is drawn over each. */

import type { ItemDetail, LayerName } from "../types";
import type { Plan } from "./painter";
import type { ViewState } from "./view";

/** Lay out a view; `sections` are the items to fan out, in order, once they are known. */
export function plansOf(item: ItemDetail, state: ViewState, sections: readonly ItemDetail[]): Plan[] {
  const gene = state.by.kind === "gene";
  if (state.mode === "sections" && sections.length > 1) {
    return sections.map((section) => ({ ...whole(section), layer: gene ? layerOf(section, state) : null }));
  }
  if (!gene) {
    return [{ ...whole(item), layer: null }];
  }
  const layers = item.layers.map((layer) => layer.name);
  const shown = layers.filter((name) => state.layers.includes(name));
  if (state.mode === "swipe" && layers.length > 1) {
    const [left, right] = swiped(layers, shown);
    return [
      { ...whole(item), layer: left, to: state.swipe },
      { ...whole(item), layer: right, from: state.swipe },
    ];
  }
  return shown.map((layer, k) => ({ ...whole(item), panel: `${item.id}:${k}`, layer }));
}

const whole = (item: ItemDetail) => ({ panel: `${item.id}:0`, item, from: 0, to: 1 });

function swiped(layers: readonly LayerName[], shown: readonly LayerName[]): [LayerName, LayerName] {
  const left = shown[0] ?? (layers[0] as LayerName);
  return [left, shown[1] ?? (layers.find((name) => name !== left) as LayerName)];
}

function layerOf(section: ItemDetail, state: ViewState): LayerName | null {
  const has = section.layers.map((layer) => layer.name);
  return state.layers.find((name) => has.includes(name)) ?? has[0] ?? null;
}
