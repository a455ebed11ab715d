/** Keeps the stage filled with what the state asks for, and its selection in step. */

import { useEffect, useLayoutEffect, useState } from "preact/hooks";
import { asApiError, type ApiError } from "../api";
import type { ItemDetail } from "../types";
import { contains } from "./geometry";
import type { Painted, Plan } from "./painter";
import { carry } from "./registered";
import type { Placement } from "./spatial";
import type { StageHandle } from "./ui/StageView";
import type { ViewState } from "./view";

export interface Scene {
  painted: Painted | null;
  error: ApiError | null;
  retry: () => void;
}

export function useScene(handle: StageHandle | null, plans: readonly Plan[], state: ViewState, references: readonly ItemDetail[]): Scene {
  const [painted, setPainted] = useState<Painted | null>(null);
  const [error, setError] = useState<ApiError | null>(null);
  const [round, setRound] = useState(0);
  // Not after the next frame, as other effects: values are on their way 10 ms sooner.
  useLayoutEffect(() => {
    if (!handle) {
      return undefined;
    }
    let current = true;
    handle.painter.fill(plans, state, references).then(
      (done) => {
        if (done && current) {
          setPainted(done);
          setError(null);
        }
      },
      (err) => {
        if (current && !(err instanceof DOMException && err.name === "AbortError")) {
          setError(asApiError(err));
        }
      },
    );
    return () => {
      current = false;
    };
  }, [handle, plans, references, state.gene, state.by, state.map, state.opacity, state.range, state.shared, round]);
  return { painted, error, retry: () => setRound(round + 1) };
}

/**
 * Observations of an item in the selection, ascending; null without one. They are also marked on the stage.
 *
 * `others` are sections of the same stack on the stage: the same outline, or the group of that name, is marked on them.
 */
export function useSelected(
  handle: StageHandle | null,
  item: ItemDetail,
  others: readonly ItemDetail[],
  state: ViewState,
  painted: Painted | null,
): Uint32Array | null {
  const [indices, setIndices] = useState<Uint32Array | null>(null);
  const placements = painted?.placements;
  const { selection } = state;
  useEffect(() => {
    if (!handle || !placements?.has(item.id)) {
      return undefined;
    }
    let current = true;
    for (const one of [item, ...others]) {
      chosenIn(handle, one, item, selection, placements.get(one.id)).then((chosen) => {
        if (current) {
          handle.stage.layer?.setChosen(one.id, chosen);
          handle.stage.redraw();
          if (one.id === item.id) {
            setIndices(chosen);
          }
        }
      });
    }
    return () => {
      current = false;
    };
  }, [handle, item, others, placements?.size, placements?.get(item.id), selection]);
  return indices;
}

/** Observations of `one` in a selection that was made on `item`. */
async function chosenIn(
  handle: StageHandle,
  one: ItemDetail,
  item: ItemDetail,
  selection: ViewState["selection"],
  placement: Placement | undefined,
): Promise<Uint32Array | null> {
  if (selection === null || !placement) {
    return null;
  }
  if ("polygon" in selection) {
    return placement.inside(selection.polygon.map((point) => carry(point, item, one)), contains);
  }
  const named = (of: ItemDetail) => of.categories.find(({ key }) => key === selection.category)?.names ?? [];
  const code = named(one).indexOf(named(item)[selection.code] ?? "");
  const codes = await handle.painter.codesOf(one, selection.category).catch(() => null);
  return codes && Uint32Array.from([...codes.keys()].filter((i) => codes[i] === code));
}
