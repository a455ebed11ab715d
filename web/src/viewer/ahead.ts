/** Brings values that are likely to be looked at next, one vector after the other, while the page rests. */

import { geneValues } from "./data";
import { geneInfo, neighbour } from "./genes";
import type { Plan } from "./painter";

/** More than this for one gene, bytes, is fetched when it is asked for. */
const MOST_BYTES = 8 * 1024 * 1024;
const REST_MS = 60;

let queue: (() => Promise<unknown>)[] = [];
let busy = false;

/** Fetch genes in the layers that are shown; what an earlier call still waits for is given up. */
export function fetchAhead(plans: readonly Plan[], genes: readonly string[]): void {
  const shown = plans.flatMap(({ item, layer }) => (item.observations && layer ? [{ item, layer, n: item.observations.n }] : []));
  const bytes = shown.reduce((sum, { n }) => sum + 4 * n, 0);
  const wanted = bytes > MOST_BYTES ? [] : genes;
  queue = wanted.flatMap((gene) =>
    shown.map(({ item, layer }) => async () => {
      const info = await geneInfo(item.id, gene);
      return info?.layers.includes(layer) && geneValues(item.id, gene, layer);
    }),
  );
  if (!busy) {
    busy = true;
    setTimeout(work, REST_MS);
  }
}

/** Fetch the genes before and after this one in the list. */
export function fetchAround(plans: readonly Plan[], item: string, gene: string): void {
  Promise.all([1, -1].map((by) => neighbour(item, gene, by))).then(
    (names) => fetchAhead(plans, names.flatMap((name) => name ?? [])),
    () => undefined,
  );
}

async function work(): Promise<void> {
  for (let next = queue.shift(); next; next = queue.shift()) {
    try {
      await next();
    } catch {
      queue = []; // whoever asks for it is told what is wrong
    }
  }
  busy = false;
}
