/** From the state of the view to what each panel draws and what its legend says. */

import type { ItemDetail, LayerName } from "../types";
import { colourMap, palette, type MapName } from "./colourmaps";
import type { Look } from "./layer";
import { LOG_REACH, spanOf, type Span, type Values } from "./values";
import type { ViewState } from "./view";

export type Vectors = Partial<Record<LayerName, Values>>;

/** A scale with its map: all that a colour bar needs. */
export interface Scale {
  map: MapName;
  span: Span;
  log: boolean;
  unit: string;
  /** Whether values lie beyond the ends, which the bar shows as arrows. */
  below: boolean;
  above: boolean;
}

/**
 * The scale of one layer. Residuals are symmetric about 0.
 *
 * Where panels share their range, it is the `reference` item's: its measured values for measured and predicted ones.
 */
export function scaleOf(state: ViewState, layer: LayerName, vectors: Vectors, reference: Vectors): Scale | null {
  const own = vectors[layer];
  if (!own) {
    return null;
  }
  const residual = layer === "residual";
  const common = layer === "measured" || layer === "predicted";
  const shared = (common ? reference.measured : undefined) ?? reference[layer] ?? own;
  const source = state.shared ? shared : own;
  // A range that was set by hand is meant for expression, not for residuals or interval widths.
  const rule = common ? state.range : { ...state.range, mode: "auto" as const };
  const span = spanOf(source, rule, residual);
  const { low, high } = own.full;
  return {
    map: residual ? "diverging" : state.map,
    span,
    log: state.range.log && !residual,
    unit: own.unit,
    below: low < span.low - 1e-6 * (span.high - span.low),
    above: high > span.high + 1e-6 * (span.high - span.low),
  };
}

export function valueLook(state: ViewState, scale: Scale): Look {
  return {
    mode: "value",
    colours: colourMap(scale.map),
    span: scale.span,
    log: scale.log ? LOG_REACH : 0,
    opacity: state.opacity,
    pies: false,
  };
}

const palettes = new WeakMap<readonly string[], Uint8Array>();

/** Colours by code; the same array for the same category, so that it is uploaded once. */
export function paletteOf(colours: readonly string[]): Uint8Array {
  let known = palettes.get(colours);
  if (!known) {
    known = palette(colours);
    palettes.set(colours, known);
  }
  return known;
}

export function categoryLook(state: ViewState, colours: readonly string[], pies: boolean): Look {
  return {
    mode: "category",
    colours: paletteOf(colours),
    span: { low: 0, high: 1 },
    log: 0,
    opacity: state.opacity,
    pies,
  };
}

/** Turn codes into values for the layer; what has no group becomes unknown. */
export function codeValues(of: Uint16Array): Float32Array {
  return Float32Array.from(of, (code) => (code === 65535 ? Number.NaN : code));
}

/** The largest part of each observation's composition. */
export function dominant(shares: Float32Array, parts: number): Float32Array {
  const out = new Float32Array(shares.length / parts);
  for (let i = 0; i < out.length; i++) {
    let best = 0;
    let sum = 0;
    for (let k = 0; k < parts; k++) {
      const share = shares[i * parts + k] as number;
      sum += share;
      if (share > (shares[i * parts + best] as number)) {
        best = k;
      }
    }
    out[i] = sum > 0 ? best : Number.NaN;
  }
  return out;
}

/** Layers shown where the address does not say: the item's own, and measured beside predicted if it has both. */
export function defaultLayers(item: ItemDetail): LayerName[] {
  const has = item.layers.map((layer) => layer.name);
  const pair = (["measured", "predicted"] as const).filter((name) => has.includes(name));
  return pair.length ? pair : has.slice(0, 1);
}
