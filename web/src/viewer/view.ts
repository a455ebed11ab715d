/** The state of a slide's view, and its form in the address: a copied link restores what was on the screen. */

import type { LayerName } from "../types";
import { MAPS, type MapName } from "./colourmaps";
import { polygonFromText, polygonToText } from "./geometry";
import type { Point, View } from "./plane";
import { DEFAULT_RANGE, type RangeRule } from "./values";

/** A selection: a drawn outline, or all observations of one group of a category. */
export type Selection = { polygon: Point[] } | { category: string; code: number };

/** What colours the observations. */
export type ColourBy = { kind: "gene" } | { kind: "category"; key: string } | { kind: "composition" } | { kind: "none" };

export type Mode = "side" | "swipe" | "sections";

export interface ViewState {
  gene: string | null;
  by: ColourBy;
  /** Empty until the item says which layers it has. */
  layers: LayerName[];
  mode: Mode;
  /** Place of the swipe divider, share of the panel's width. */
  swipe: number;
  map: MapName;
  opacity: number;
  range: RangeRule;
  /** One range for measured and predicted values. */
  shared: boolean;
  view: View | null;
  selection: Selection | null;
}

export const LAYERS: readonly LayerName[] = ["measured", "predicted", "residual", "uncertainty"];

export const INITIAL: ViewState = {
  gene: null,
  by: { kind: "gene" },
  layers: [],
  mode: "side",
  swipe: 0.5,
  map: "viridis",
  opacity: 0.85,
  range: DEFAULT_RANGE,
  shared: true,
  view: null,
  selection: null,
};

/** The keys of the query that this file owns. */
export type Words = Record<"gene" | "by" | "show" | "mode" | "swipe" | "map" | "alpha" | "range" | "own" | "at" | "sel", string | null>;

/** Write what differs from the initial state. */
export function toQuery(state: ViewState): Words {
  const { range, view, by } = state;
  const spread =
    range.mode === "fixed" ? `${digits(range.span.low)}..${digits(range.span.high)}` : `q${range.quantiles[0]}-${range.quantiles[1]}`;
  const rule = spread + (range.log ? ",log" : "");
  return {
    gene: state.gene,
    by: by.kind === "gene" ? null : by.kind === "category" ? `category:${by.key}` : by.kind,
    show: state.layers.join(",") || null,
    mode: state.mode === "side" ? null : state.mode,
    swipe: state.mode === "swipe" ? state.swipe.toFixed(2) : null,
    map: state.map === INITIAL.map ? null : state.map,
    alpha: state.opacity === INITIAL.opacity ? null : String(state.opacity),
    range: rule === "q1-99" ? null : rule,
    own: state.shared ? null : "1",
    at: view ? `${view.x.toFixed(0)},${view.y.toFixed(0)},${digits(view.scale)}` : null,
    sel: state.selection ? selectionToText(state.selection) : null,
  };
}

/** Read a query; anything that cannot be read falls back to the initial state. */
export function fromQuery(query: URLSearchParams): ViewState {
  const word = (key: keyof Words) => query.get(key) ?? "";
  const map = MAPS.find((name) => name === word("map")) ?? INITIAL.map;
  const alpha = number(word("alpha"), 0.05, 1);
  return {
    gene: word("gene") || null,
    by: colourByOf(word("by")),
    layers: LAYERS.filter((name) => word("show").split(",").includes(name)),
    mode: (["swipe", "sections"] as const).find((mode) => mode === word("mode")) ?? "side",
    swipe: number(word("swipe"), 0, 1) ?? INITIAL.swipe,
    map,
    opacity: alpha ?? INITIAL.opacity,
    range: rangeOf(word("range")),
    shared: word("own") !== "1",
    view: viewOf(word("at")),
    selection: selectionOf(word("sel")),
  };
}

function colourByOf(text: string): ColourBy {
  if (text.startsWith("category:")) {
    return { kind: "category", key: text.slice("category:".length) };
  }
  return text === "composition" || text === "none" ? { kind: text } : { kind: "gene" };
}

function rangeOf(text: string): RangeRule {
  const log = text.endsWith(",log");
  const spread = log ? text.slice(0, -4) : text;
  const quantiles = /^q([\d.]+)-([\d.]+)$/.exec(spread);
  if (quantiles) {
    const [low, high] = [Number(quantiles[1]), Number(quantiles[2])];
    return low < high && high <= 100 ? { ...DEFAULT_RANGE, log, quantiles: [low, high] } : { ...DEFAULT_RANGE, log };
  }
  const ends = spread.split("..").map(Number);
  const [low, high] = ends;
  if (ends.length === 2 && low !== undefined && high !== undefined && low < high) {
    return { ...DEFAULT_RANGE, log, mode: "fixed", span: { low, high } };
  }
  return { ...DEFAULT_RANGE, log };
}

function viewOf(text: string): View | null {
  const [x, y, scale] = text.split(",").map(Number);
  return x !== undefined && y !== undefined && scale !== undefined && scale > 0 && Number.isFinite(x + y + scale)
    ? { x, y, scale }
    : null;
}

function selectionToText(selection: Selection): string {
  return "polygon" in selection ? polygonToText(selection.polygon) : `${selection.code}:${selection.category}`;
}

function selectionOf(text: string): Selection | null {
  const group = /^(\d+):(.+)$/.exec(text);
  if (group) {
    return { category: group[2] as string, code: Number(group[1]) };
  }
  const polygon = polygonFromText(text);
  return polygon ? { polygon } : null;
}

function number(text: string, low: number, high: number): number | null {
  const value = Number(text);
  return text !== "" && value >= low && value <= high ? value : null;
}

const digits = (value: number) => String(Number(value.toPrecision(5)));
