/** What is known of the observation under the pointer: every shown layer, its group, its largest part. */

import { num, t, tOr } from "../../i18n";
import type { ItemDetail } from "../../types";
import type { Painted } from "../painter";
import { toStage } from "../plane";
import type { Stage } from "../stage";
import { short } from "../values";
import { LAYERS, type ViewState } from "../view";
import type { Hover } from "./Overlay";

interface Fact {
  name: string;
  value: string;
}

function factsOf(hover: Hover, painted: Painted, state: ViewState, items: readonly ItemDetail[]): Fact[] {
  const item = items.find((one) => one.id === hover.item);
  const facts: Fact[] = [];
  const vectors = painted.vectors.get(hover.item) ?? {};
  for (const layer of LAYERS) {
    const value = vectors[layer]?.data[hover.observation];
    if (value !== undefined) {
      facts.push({ name: t(`slide.layer_${layer}`), value: Number.isFinite(value) ? short(value) : t("slide.hover_none") });
    }
  }
  for (const category of item?.categories ?? []) {
    const code = painted.codes.get(`${hover.item} ${category.key}`)?.[hover.observation];
    if (code !== undefined) {
      facts.push({ name: tOr(`slide.category_${category.key}`, category.key), value: category.names[code] ?? t("slide.hover_none") });
    }
  }
  const largest = state.by.kind === "composition" ? painted.compositions.get(hover.item)?.[hover.observation] : undefined;
  if (largest !== undefined && item?.composition) {
    facts.push({ name: t("slide.by_composition"), value: item.composition.names[largest] ?? t("slide.hover_none") });
  }
  return facts;
}

/** The tooltip as a sentence, for a screen reader. */
export function describe(hover: Hover, painted: Painted, state: ViewState, items: readonly ItemDetail[]): string {
  const facts = factsOf(hover, painted, state, items).map(({ name, value }) => `${name} ${value}`);
  const gene = state.by.kind === "gene" && painted.gene ? [painted.gene] : [];
  return [t("slide.hover_at", { n: hover.observation + 1 }), ...gene, ...facts].join(", ");
}

interface Props {
  stage: Stage;
  hover: Hover;
  painted: Painted;
  state: ViewState;
  items: readonly ItemDetail[];
}

export function Tooltip({ stage, hover, painted, state, items }: Props) {
  const frame = stage.frame(hover.panel);
  if (!frame) {
    return null;
  }
  const [x, y] = toStage(frame, hover.centre);
  const half = (hover.size * frame.scale) / 2;
  const { clientWidth, clientHeight } = stage.root;
  const left = x + half + 190 > clientWidth;
  const above = y + 120 > clientHeight;
  return (
    <div
      class="tooltip"
      aria-hidden="true"
      style={{
        left: left ? undefined : `${x + Math.min(half, 60) + 10}px`,
        right: left ? `${clientWidth - x + Math.min(half, 60) + 10}px` : undefined,
        top: above ? undefined : `${y + 8}px`,
        bottom: above ? `${clientHeight - y + 8}px` : undefined,
      }}
    >
      {state.by.kind === "gene" && painted.gene && <strong>{painted.gene}</strong>}
      <dl>
        {factsOf(hover, painted, state, items).map(({ name, value }) => (
          <>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </>
        ))}
      </dl>
      <span class="tooltip-foot">{t("slide.hover_at", { n: num(hover.observation + 1) })}</span>
    </div>
  );
}
