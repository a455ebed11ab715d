/** Brings the arrays that a view needs onto the stage, and tells the page when they are there. */

import type { ItemDetail, LayerName } from "../types";
import { geneInfo } from "./genes";
import { centres, codes, geneValues, shares } from "./data";
import type { Look } from "./layer";
import { categoryLook, codeValues, dominant, paletteOf, scaleOf, valueLook, type Vectors } from "./looks";
import { Placement } from "./spatial";
import type { Scene, Stage } from "./stage";
import { Values } from "./values";
import type { ViewState } from "./view";

/** One drawing to make: an item and, where genes are shown, the layer; `from` and `to` are shares of the panel's width. */
export interface Plan {
  panel: string;
  item: ItemDetail;
  layer: LayerName | null;
  from: number;
  to: number;
}

/** What is on the stage now: the values behind the colours, for legends, tooltips and the histogram. */
export interface Painted {
  gene: string | null;
  vectors: ReadonlyMap<string, Vectors>;
  /** Values that decide shared ranges: of the item whose page this is, or of all sections of its stack. */
  reference: Vectors;
  /** Codes by item and category key. */
  codes: ReadonlyMap<string, Uint16Array>;
  /** Dominant part of the composition, by item. */
  compositions: ReadonlyMap<string, Float32Array>;
  placements: ReadonlyMap<string, Placement>;
}

export class Painter {
  private readonly placements = new Map<string, Promise<Placement>>();
  private readonly known = new Map<string, Placement>();
  private readonly codes = new Map<string, Uint16Array>();
  private readonly compositions = new Map<string, Float32Array>();
  /** Which values each channel of an item holds on the GPU. */
  private readonly held = new Map<string, object>();
  private stop = new AbortController();
  /** Values of a stack's sections in one, by the sections' own values. */
  private readonly pooled = new WeakMap<Values, { of: readonly Values[]; values: Values }>();

  constructor(private readonly stage: Stage) {}

  /**
   * Fetch what is missing, then swap everything at once: no panel shows one gene under another's legend.
   *
   * Shared ranges are those of all values of `references`.
   */
  async fill(plans: readonly Plan[], state: ViewState, references: readonly ItemDetail[]): Promise<Painted | null> {
    this.stop.abort();
    this.stop = new AbortController();
    const { signal } = this.stop;
    const withMarks = plans.filter((plan) => plan.item.observations !== null);
    const vectors = new Map<string, Vectors>();
    const layers = [...new Set(withMarks.flatMap(({ layer }) => layer ?? []))];
    const others = references.filter((item) => !withMarks.some((plan) => plan.item.id === item.id));
    await Promise.all([
      ...[...new Set(withMarks.map((plan) => plan.item))].map((item) => this.place(item)),
      ...withMarks.map((plan) => this.fetch(plan, state, vectors, signal)),
      ...others.flatMap((item) => layers.map((layer) => this.fetch({ item, layer }, state, vectors, signal))),
    ]);
    if (signal.aborted) {
      return null;
    }
    const reference: Vectors = {};
    for (const layer of layers) {
      const values = this.pool(references.flatMap(({ id }) => vectors.get(id)?.[layer] ?? []));
      if (values) {
        reference[layer] = values;
      }
    }
    this.stage.setScenes(withMarks.flatMap((plan) => this.scene(plan, state, { vectors, reference })));
    return {
      gene: state.gene,
      vectors,
      reference,
      codes: this.codes,
      compositions: this.compositions,
      placements: this.known,
    };
  }

  private pool(values: readonly Values[]): Values | undefined {
    const [first, second] = values;
    if (!first || !second) {
      return first;
    }
    let known = this.pooled.get(first);
    if (known?.of.length !== values.length || known.of.some((one, i) => one !== values[i])) {
      const data = new Float32Array(values.reduce((n, one) => n + one.data.length, 0));
      let at = 0;
      for (const one of values) {
        data.set(one.data, at);
        at += one.data.length;
      }
      known = { of: values, values: new Values(data, first.unit) };
      this.pooled.set(first, known);
    }
    return known.values;
  }

  abort(): void {
    this.stop.abort();
  }

  private place(item: ItemDetail): Promise<Placement> {
    let promise = this.placements.get(item.id);
    if (!promise) {
      promise = centres(item.id).then(async (xy) => {
        const placement = new Placement(xy);
        const { size_px, pitch_px, shape } = item.observations as NonNullable<ItemDetail["observations"]>;
        await this.stage.setMarks(item.id, { placement, diameter: size_px, square: shape === "square", pitch: pitch_px });
        this.known.set(item.id, placement);
        return placement;
      });
      promise.catch(() => this.placements.delete(item.id));
      this.placements.set(item.id, promise);
    }
    return promise;
  }

  private async fetch(plan: Pick<Plan, "item" | "layer">, state: ViewState, into: Map<string, Vectors>, signal: AbortSignal): Promise<void> {
    const { item, layer } = plan;
    const { by, gene } = state;
    if (by.kind === "category") {
      await this.codesOf(item, by.key, signal);
    } else if (by.kind === "composition" && item.composition && !this.compositions.has(item.id)) {
      await this.loadComposition(item, signal);
    } else if (by.kind === "gene" && gene && layer) {
      // Not every gene is in every layer: such a panel says so.
      const info = await geneInfo(item.id, gene);
      if (info?.layers.includes(layer)) {
        const values = await geneValues(item.id, gene, layer, signal);
        into.set(item.id, { ...into.get(item.id), [layer]: values });
      }
    }
  }

  /** Codes of a category, asked for once; null where the item does not have it. */
  async codesOf(item: ItemDetail, key: string, signal?: AbortSignal): Promise<Uint16Array | null> {
    if (!item.categories.some((category) => category.key === key)) {
      return null;
    }
    const slot = `${item.id} ${key}`;
    const known = this.codes.get(slot) ?? (await codes(item.id, key, signal));
    this.codes.set(slot, known);
    return known;
  }

  private async loadComposition(item: ItemDetail, signal: AbortSignal): Promise<void> {
    const { names, colours } = item.composition as NonNullable<ItemDetail["composition"]>;
    const values = await shares(item.id, signal);
    this.compositions.set(item.id, dominant(values, names.length));
    await this.place(item);
    this.stage.layer?.setShares(item.id, values, names.length, paletteOf(colours));
  }

  private scene(plan: Plan, state: ViewState, painted: Pick<Painted, "vectors" | "reference">): Scene[] {
    const channel = this.channel(plan, state, painted);
    if (!channel) {
      return [];
    }
    const slot = `${plan.item.id} ${channel.name}`;
    if (this.held.get(slot) !== channel.holds) {
      this.stage.layer?.setValues(plan.item.id, channel.name, channel.values(), channel.look.mode === "category");
      this.held.set(slot, channel.holds);
    }
    return [{ panel: plan.panel, set: plan.item.id, channel: channel.name, look: channel.look, from: plan.from, to: plan.to }];
  }

  private channel(plan: Plan, state: ViewState, painted: Pick<Painted, "vectors" | "reference">): Channel | null {
    const { item, layer } = plan;
    const { by } = state;
    if (by.kind === "category") {
      const found = this.codes.get(`${item.id} ${by.key}`);
      const category = item.categories.find((one) => one.key === by.key);
      return found && category
        ? { name: "codes", holds: found, values: () => codeValues(found), look: categoryLook(state, category.colours, false) }
        : null;
    }
    if (by.kind === "composition") {
      const found = this.compositions.get(item.id);
      return found && item.composition
        ? { name: "parts", holds: found, values: () => found, look: categoryLook(state, item.composition.colours, true) }
        : null;
    }
    const vectors = painted.vectors.get(item.id) ?? {};
    const values = layer ? vectors[layer] : undefined;
    const scale = layer && scaleOf(state, layer, vectors, painted.reference);
    return by.kind === "gene" && values && scale
      ? { name: layer, holds: values, values: () => values.data, look: valueLook(state, scale) }
      : null;
  }
}

interface Channel {
  name: string;
  /** The array behind the values: another one is uploaded. */
  holds: object;
  values: () => Float32Array;
  look: Look;
}
