/** Ranges, quantiles, histograms and readable numbers of a value vector. */

import { select } from "./select";

export interface Span {
  low: number;
  high: number;
}

/** How colours are spread over values. `auto` follows the vector's quantiles, `fixed` stays when the gene changes. */
export interface RangeRule {
  mode: "auto" | "fixed";
  /** Quantiles in percent, for `auto`. */
  quantiles: readonly [number, number];
  /** Values, for `fixed`. */
  span: Span;
  log: boolean;
}

export const DEFAULT_RANGE: RangeRule = { mode: "auto", quantiles: [1, 99], span: { low: 0, high: 1 }, log: false };

/** A vector with what its legend needs, found on demand. */
export class Values {
  private finite_: Float32Array | null = null;
  private full_: Span = { low: Number.NaN, high: Number.NaN };
  private readonly quantiles_ = new Map<number, number>();

  constructor(
    readonly data: Float32Array,
    readonly unit: string,
  ) {}

  /** Finite values in any order; of more than 200,000 an even sample, which is plenty for quantiles and a histogram. */
  private get finite(): Float32Array {
    if (!this.finite_) {
      const stride = Math.max(1, Math.ceil(this.data.length / 200_000));
      const kept = new Float32Array(Math.ceil(this.data.length / stride));
      let n = 0;
      let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
      for (let i = 0; i < this.data.length; i++) {
        const value = this.data[i] as number;
        if (value - value !== 0) {
          continue; // NaN, or infinite
        }
        if (value < low) {
          low = value;
        }
        if (value > high) {
          high = value;
        }
        if (stride === 1 || i % stride === 0) {
          kept[n++] = value;
        }
      }
      this.finite_ = kept.subarray(0, n);
      this.full_ = low <= high ? { low, high } : this.full_;
    }
    return this.finite_;
  }

  /** Quantile in percent, linear between order statistics as numpy does; NaN without finite values. */
  quantile(percent: number): number {
    let known = this.quantiles_.get(percent);
    if (known === undefined) {
      known = this.finite.length ? this.findQuantile(percent) : Number.NaN;
      this.quantiles_.set(percent, known);
    }
    return known;
  }

  private findQuantile(percent: number): number {
    if (percent === 0 || percent === 100) {
      return percent ? this.full.high : this.full.low; // the sample may lack them
    }
    const { finite } = this;
    const at = (percent / 100) * (finite.length - 1);
    const below = Math.floor(at);
    const low = select(finite, below);
    // What comes after the chosen one is no smaller now: the next in order is the least of it.
    let high = at === below ? low : Number.POSITIVE_INFINITY;
    for (let i = below + 1; at !== below && i < finite.length; i++) {
      high = Math.min(high, finite[i] as number);
    }
    return low + (at - below) * (high - low);
  }

  /** The least and the largest finite value; NaN without any. */
  get full(): Span {
    return this.finite && this.full_;
  }

  /** Counts in `bins` equal steps of the full range. */
  histogram(bins: number, over: Span = this.full): Float64Array {
    const counts = new Float64Array(bins);
    const step = (over.high - over.low) / bins || 1;
    for (const value of this.finite) {
      const k = Math.floor((value - over.low) / step);
      if (k >= 0 && k <= bins) {
        counts[Math.min(k, bins - 1)]! += 1;
      }
    }
    return counts;
  }
}

/** The range of values over which colours are spread; never empty, symmetric about 0 for a residual. */
export function spanOf(values: Values, rule: RangeRule, symmetric: boolean): Span {
  let { low, high } = rule.span;
  if (rule.mode === "auto") {
    low = values.quantile(rule.quantiles[0]);
    high = values.quantile(rule.quantiles[1]);
    // A gene seen in under 1 % of the observations has equal quantiles; its few counts are what there is to see.
    if (!(high > low)) {
      ({ low, high } = values.full);
    }
  }
  if (symmetric) {
    const reach = Math.max(Math.abs(low), Math.abs(high)) || 1;
    return { low: -reach, high: reach };
  }
  if (!Number.isFinite(low) || !Number.isFinite(high)) {
    return { low: 0, high: 1 };
  }
  // The same value everywhere, but for rounding: from 0 to it, so that the legend says what it is.
  if (high - low <= 1e-5 * Math.max(Math.abs(low), Math.abs(high))) {
    return { low: Math.min(0, low), high: Math.max(0, high) || 1 };
  }
  return { low, high };
}

/** Share of the way from low to high, before clamping; logarithmic in 1 + (value - low), so that 0 counts are fine. */
export function position(value: number, span: Span, log: boolean): number {
  const reach = span.high - span.low;
  const t = (value - span.low) / reach;
  return log ? Math.log1p(Math.max(0, t) * LOG_REACH) / Math.log1p(LOG_REACH) : t;
}

/** Value at a share of the way; the inverse of `position`. */
export function valueAt(t: number, span: Span, log: boolean): number {
  const share = log ? Math.expm1(t * Math.log1p(LOG_REACH)) / LOG_REACH : t;
  return span.low + share * (span.high - span.low);
}

/** How far the logarithmic scale reaches: the lowest 1/100 of the range takes log(2)/log(101), about 15 %, of the bar. */
export const LOG_REACH = 100;

/** Round values for a legend's ticks, at most `most` of them. */
export function ticks(span: Span, most = 5): number[] {
  const step = niceStep((span.high - span.low) / Math.max(1, most - 1));
  const out: number[] = [];
  for (let k = Math.ceil(span.low / step - 1e-9); k * step <= span.high + 1e-9 * step; k++) {
    out.push(k * step === 0 ? 0 : k * step);
  }
  return out;
}

/** The round number (1, 2 or 5 times a power of ten) at or above `value`. */
export function niceStep(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  const factor = [1, 2, 5, 10].find((f) => f * power >= value * (1 - 1e-9)) ?? 10;
  return factor * power;
}

/** A number with three significant digits, without an exponent where it can be avoided. */
export function short(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) {
    return "–";
  }
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e6 || size < 1e-3)) {
    return value.toExponential(1).replace("e+", "e");
  }
  return String(Number(value.toPrecision(3))).replace("-", "−");
}
