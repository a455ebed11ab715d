/** Keeps the stage filled with what the state asks for, and its selection in step. */

import { useEffect, useState } from "preact/hooks";
import { asApiError, type ApiError } from "../api";
import type { ItemDetail } from "../types";
import { contains } from "./geometry";
import type { Painted, Plan } from "./painter";
import type { StageHandle } from "./ui/StageView";
import type { ViewState } from "./view";

export interface Scene {
  painted: Painted | null;
  error: ApiError | null;
  retry: () => void;
}

export function useScene(handle: StageHandle | null, plans: readonly Plan[], state: ViewState): Scene {
  const [painted, setPainted] = useState<Painted | null>(null);
  const [error, setError] = useState<ApiError | null>(null);
  const [round, setRound] = useState(0);
  useEffect(() => {
    if (!handle) {
      return undefined;
    }
    let current = true;
    handle.painter.fill(plans, state).then(
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
  }, [handle, plans, state.gene, state.by, state.map, state.opacity, state.range, state.shared, round]);
  return { painted, error, retry: () => setRound(round + 1) };
}

/** Observations in the selection, ascending; null without one. They are also marked on the stage. */
export function useSelected(handle: StageHandle | null, item: ItemDetail, state: ViewState, painted: Painted | null): Uint32Array | null {
  const [indices, setIndices] = useState<Uint32Array | null>(null);
  const placement = painted?.placements.get(item.id);
  const { selection } = state;
  useEffect(() => {
    if (!handle || !placement) {
      return undefined;
    }
    let current = true;
    const choose = (chosen: Uint32Array | null) => {
      if (current) {
        handle.stage.layer?.setChosen(item.id, chosen);
        handle.stage.redraw();
        setIndices(chosen);
      }
    };
    if (selection === null) {
      choose(null);
    } else if ("polygon" in selection) {
      choose(placement.inside(selection.polygon, contains));
    } else {
      handle.painter.codesOf(item, selection.category).then(
        (codes) => choose(codes && Uint32Array.from([...codes.keys()].filter((i) => codes[i] === selection.code))),
        () => choose(null),
      );
    }
    return () => {
      current = false;
    };
  }, [handle, item, placement, selection]);
  return indices;
}
