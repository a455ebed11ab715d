/** Gather what the stage shows into a figure and save it. */

import { num, t } from "../i18n";
import type { ItemDetail, Trust } from "../types";
import { FIGURE_RATIO, figureSvg, pngOf, SHAPES_MAX, type FigurePart } from "./figure";
import { visible } from "./layer";
import { categoryLook, scaleOf, valueLook } from "./looks";
import type { Painted, Plan } from "./painter";
import { saveBlob } from "./save";
import type { Stage } from "./stage";
import type { ViewState } from "./view";

export async function saveFigure(
  format: "png" | "svg",
  item: ItemDetail,
  stage: Stage,
  plans: readonly Plan[],
  state: ViewState,
  painted: Painted,
  trust: Trust | null,
): Promise<void> {
  const parts = plans.flatMap((plan) => partOf(plan, item, stage, state, painted));
  const many = parts.some(({ frame, placement, item: shown }) => {
    const size = shown.observations?.size_px ?? 0;
    return placement !== null && placement.runs(visible(frame, size)).total > SHAPES_MAX;
  });
  const subject = state.by.kind === "gene" ? state.gene : null;
  // A figure goes where the page's flag does not: it says itself how far its prediction can be trusted.
  const predicted = subject !== null && plans.some((plan) => plan.layer !== null && plan.layer !== "measured");
  const notes = [
    "HistoScribe",
    item.donor && t("slide.donor", { name: item.donor }),
    t(`slide.kind_${item.kind}`),
    predicted && trust && t(`slide.trust_${trust}_long`),
  ];
  const svg = await figureSvg({
    title: [item.name, subject].filter(Boolean).join(" · "),
    note: notes.filter(Boolean).join(" · "),
    parts,
    raster: many || state.by.kind === "composition" ? stage.snapshot(FIGURE_RATIO) : null,
  });
  const name = [item.name, subject].filter(Boolean).join("_").replace(/[^\w.-]+/g, "_");
  const blob = format === "svg" ? new Blob([svg], { type: "image/svg+xml" }) : await pngOf(svg, FIGURE_RATIO);
  saveBlob(blob, `${name}.${format}`);
}

function partOf(plan: Plan, owner: ItemDetail, stage: Stage, state: ViewState, painted: Painted): FigurePart[] {
  const whole = stage.frame(plan.panel);
  if (!whole) {
    return [];
  }
  const { item, layer } = plan;
  const { box } = whole;
  const frame = { ...whole, clip: { ...box, x: box.x + plan.from * box.width, width: (plan.to - plan.from) * box.width } };
  const base = { item, frame, placement: painted.placements.get(item.id) ?? null };
  const { by } = state;
  if (by.kind === "category") {
    const category = item.categories.find((one) => one.key === by.key);
    const codes = painted.codes.get(`${item.id} ${by.key}`);
    if (category && codes) {
      const values = Float32Array.from(codes, (code) => (code === 65535 ? Number.NaN : code));
      return [{ ...base, title: item.name, values, look: categoryLook(state, category.colours, false), legend: { ...category, title: by.key } }];
    }
  } else if (by.kind === "composition" && item.composition) {
    return [{ ...base, title: item.name, values: null, look: null, legend: { ...item.composition, title: "" } }];
  } else if (by.kind === "gene" && layer) {
    const vectors = painted.vectors.get(item.id) ?? {};
    const scale = scaleOf(state, layer, vectors, painted.reference);
    const name = t(`slide.layer_${layer}`);
    const z = owner.sections_of_stack.find(({ id }) => id === item.id)?.z_um ?? null;
    const title = state.mode === "sections" ? [item.name, z === null ? name : `${num(z)} µm`].join(" · ") : name;
    if (scale) {
      const legend = { scale, title: `${painted.gene}, ${name}` };
      return [{ ...base, title, values: vectors[layer]?.data ?? null, look: valueLook(state, scale), legend }];
    }
  }
  return [{ ...base, title: "", values: null, look: null, legend: null }];
}
