/** The item's gene list: pages for stepping, and what is known of one gene. */

import { get, part } from "../api";
import type { Gene, LayerName } from "../types";

export interface GeneInfo extends Gene {
  /** Layers that have this gene. */
  layers: LayerName[];
}

export interface GenePage {
  total: number;
  genes: GeneInfo[];
}

const STEP_PAGE = 200;
/** Pages looked through for where a gene stands; one beyond them steps from the start of the list. */
const PAGES_SEARCHED = 5;

const pages = new Map<string, Promise<GenePage>>();
const infos = new Map<string, Promise<GeneInfo | null>>();

export async function searchGenes(item: string, query: string, limit: number, signal?: AbortSignal): Promise<GenePage> {
  return noted(item, await get<GenePage>(`items/${part(item)}/genes`, { query, limit }, signal));
}

/** Remember what a page says of its genes. */
function noted(item: string, page: GenePage): GenePage {
  for (const gene of page.genes) {
    infos.set(`${item} ${gene.name}`, Promise.resolve(gene));
  }
  return page;
}

/** A page of the item's genes in the server's order (trusted first); asked for once. */
function genePage(item: string, index: number): Promise<GenePage> {
  return once(pages, `${item} ${index}`, async () =>
    noted(item, await get<GenePage>(`items/${part(item)}/genes`, { offset: index * STEP_PAGE, limit: STEP_PAGE })),
  );
}

/** What the server knows of a gene; null where the item does not have it. */
export function geneInfo(item: string, name: string): Promise<GeneInfo | null> {
  return once(infos, `${item} ${name}`, async () => {
    const page = await searchGenes(item, name, 1);
    return page.genes.find((gene) => gene.name === name) ?? null;
  });
}

/** The gene `by` places after `name` in the server's order, around the ends; null where the item has no genes. */
export async function neighbour(item: string, name: string | null, by: number): Promise<string | null> {
  const first = await genePage(item, 0);
  if (first.total === 0) {
    return null;
  }
  const count = Math.min(PAGES_SEARCHED, Math.ceil(first.total / STEP_PAGE));
  let at = -1;
  for (let k = 0; name !== null && k < count && at < 0; k++) {
    const found = (await genePage(item, k)).genes.findIndex((gene) => gene.name === name);
    at = found < 0 ? -1 : k * STEP_PAGE + found;
  }
  const next = at < 0 ? (by > 0 ? 0 : first.total - 1) : (at + by + first.total) % first.total;
  return (await genePage(item, Math.floor(next / STEP_PAGE))).genes[next % STEP_PAGE]?.name ?? null;
}

/** Forget what the list said: layers join when a prediction has been opened. */
export function forgetGenes(): void {
  pages.clear();
  infos.clear();
}

function once<T>(known: Map<string, Promise<T>>, key: string, make: () => Promise<T>): Promise<T> {
  let promise = known.get(key);
  if (!promise) {
    promise = make();
    promise.catch(() => known.delete(key));
    known.set(key, promise);
  }
  return promise;
}
