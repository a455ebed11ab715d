/** The item's arrays from the server: fetched once, kept while there is room, dropped oldest first. */

import { getBinary, part } from "../api";
import type { LayerName } from "../types";
import { Values } from "./values";

/** Gene vectors kept, bytes; about 160 genes of 100,000 observations. */
const KEEP_BYTES = 64 * 1024 * 1024;

const vectors = new Map<string, Values>();
/** Vectors on their way that nobody can abort. */
const coming = new Map<string, Promise<Values>>();
let kept = 0;
let round = 0;

/** Forget all vectors: measured values take the unit of a prediction once that has been opened. */
export function forgetValues(): void {
  vectors.clear();
  coming.clear();
  kept = 0;
  round++;
}

/** Values of one gene in one layer, by observation; NaN where unknown. Without `signal` they are fetched ahead. */
export async function geneValues(item: string, gene: string, layer: LayerName, signal?: AbortSignal): Promise<Values> {
  const path = `items/${part(item)}/genes/${part(gene)}`;
  const key = `${path} ${layer}`;
  const known = vectors.get(key);
  if (known) {
    vectors.delete(key);
    vectors.set(key, known); // now the youngest
    return known;
  }
  let promise = coming.get(key);
  if (!promise) {
    promise = fetchValues(path, key, layer, signal);
    if (!signal) {
      coming.set(key, promise);
      promise.then(() => coming.delete(key), () => coming.delete(key));
    }
  }
  return promise;
}

async function fetchValues(path: string, key: string, layer: LayerName, signal?: AbortSignal): Promise<Values> {
  const asked = round;
  const { data, headers } = await getBinary(path, { layer }, signal);
  const values = new Values(new Float32Array(data), headers.get("x-unit") ?? "");
  if (asked !== round) {
    return values; // another unit may hold by now
  }
  vectors.set(key, values);
  kept += data.byteLength;
  for (const [old, dropped] of vectors) {
    if (kept <= KEEP_BYTES || old === key) {
      break;
    }
    vectors.delete(old);
    kept -= dropped.data.byteLength;
  }
  return values;
}

/** Centres, (n, 2) row-major, level-0 px. */
export async function centres(item: string, signal?: AbortSignal): Promise<Float32Array> {
  return new Float32Array((await getBinary(`items/${part(item)}/observations`, {}, signal)).data);
}

/** Codes of a category by observation; 65535 where there is none. */
export async function codes(item: string, key: string, signal?: AbortSignal): Promise<Uint16Array> {
  return new Uint16Array((await getBinary(`items/${part(item)}/categories/${part(key)}`, {}, signal)).data);
}

/** Shares, (n, parts) row-major. */
export async function shares(item: string, signal?: AbortSignal): Promise<Float32Array> {
  return new Float32Array((await getBinary(`items/${part(item)}/composition`, {}, signal)).data);
}
