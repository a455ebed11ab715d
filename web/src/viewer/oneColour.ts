/** One colour for one name in all sections of a stack, though each section lists only the groups that it has. */

import type { ItemDetail } from "../types";

/** Okabe and Ito's colours, then Paul Tol's muted ones, as the server gives them. */
const SPARE = [
  ...["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#332288"],
  ...["#88ccee", "#44aa99", "#117733", "#999933", "#ddcc77", "#cc6677", "#882255", "#aa4499"],
];

interface Groups {
  names: string[];
  colours: string[];
}

/** The same items with colours that agree; the first item that has a name decides. */
export function inOneColour(items: readonly ItemDetail[]): ItemDetail[] {
  const keys = new Set(items.flatMap((item) => item.categories.map(({ key }) => key)));
  const categories = new Map([...keys].map((key) => [key, union(items.flatMap((item) => item.categories.filter((one) => one.key === key)))]));
  const parts = union(items.flatMap((item) => item.composition ?? []));
  return items.map((item) => ({
    ...item,
    categories: item.categories.map((one) => ({ ...one, colours: coloursOf(one, categories.get(one.key)) })),
    composition: item.composition && { ...item.composition, colours: coloursOf(item.composition, parts) },
  }));
}

function union(groups: readonly Groups[]): Map<string, string> {
  const known = new Map<string, string>();
  const used = new Set<string>();
  for (const { names, colours } of groups) {
    for (const [i, name] of names.entries()) {
      if (!known.has(name)) {
        const own = colours[i] as string;
        const colour = used.has(own) ? (SPARE.find((one) => !used.has(one)) ?? own) : own;
        known.set(name, colour);
        used.add(colour);
      }
    }
  }
  return known;
}

const coloursOf = ({ names, colours }: Groups, known: Map<string, string> | undefined) => names.map((name, i) => known?.get(name) ?? (colours[i] as string));
