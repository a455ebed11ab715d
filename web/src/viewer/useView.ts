/** The view's state as a hook: read from the address once, written back to it a moment after each change. */

import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";
import { lang, useLang } from "../i18n";
import { setQuery } from "../router";
import type { ItemDetail } from "../types";
import { defaultLayers } from "./looks";
import type { View } from "./plane";
import { fromQuery, toQuery, type ViewState } from "./view";

/** How long a view must stand before the address follows, ms. */
const QUIET_MS = 250;

export interface ViewHandle {
  state: ViewState;
  change: (change: Partial<ViewState>) => void;
  /** Note where the stage is; goes into the address without a render. */
  noteView: (view: View | null) => void;
}

export function useView(item: ItemDetail): ViewHandle {
  const read = () => fit(item, fromQuery(new URLSearchParams(location.search)));
  const [held, setHeld] = useState(() => ({ id: item.id, state: read() }));
  const view = useRef<View | null>(held.state.view);
  // Another section of the stack under the same stage: its address says what is shown of it.
  let { state } = held;
  if (held.id !== item.id) {
    state = read();
    view.current = state.view;
    setHeld({ id: item.id, state });
  }
  const timer = useRef(0);
  const latest = useRef(state);
  latest.current = state;

  const write = useCallback(() => {
    clearTimeout(timer.current);
    timer.current = window.setTimeout(() => {
      setQuery({ ...toQuery({ ...latest.current, view: view.current }), lang: lang.get() });
    }, QUIET_MS);
  }, []);
  const noteView = useCallback((next: View | null) => {
    view.current = next;
    write();
  }, []);
  const change = useCallback(
    (part: Partial<ViewState>) => setHeld((before) => ({ id: item.id, state: steady(before.state, fit(item, { ...before.state, ...part })) })),
    [item],
  );

  const language = useLang();
  useEffect(write, [state, language]);
  useEffect(() => {
    const back = () => setHeld((before) => ({ id: item.id, state: steady(before.state, read()) }));
    addEventListener("popstate", back);
    return () => {
      removeEventListener("popstate", back);
      clearTimeout(timer.current);
    };
  }, [item]);
  const shown = useMemo(() => defaultLayers(item), [item]);
  const complete = useMemo(() => (state.layers.length ? state : { ...state, layers: shown }), [shown, state]);
  return { state: complete, change, noteView };
}

/** Keep what did not change as it was: nothing is planned or drawn anew for an equal but other array. */
function steady(before: ViewState, next: ViewState): ViewState {
  const kept = Object.entries(before).filter(([key, value]) => JSON.stringify(value) === JSON.stringify(next[key as keyof ViewState]));
  return { ...next, ...Object.fromEntries(kept) };
}

/** Bring a state within what the item has. */
function fit(item: ItemDetail, state: ViewState): ViewState {
  const has = item.layers.map((layer) => layer.name);
  const layers = state.layers.filter((name) => has.includes(name));
  let { by } = state;
  const wrong =
    (by.kind === "gene" && has.length === 0) ||
    (by.kind === "composition" && item.composition === null) ||
    (by.kind === "category" && !item.categories.some((one) => by.kind === "category" && one.key === by.key));
  if (wrong) {
    const first = item.categories[0];
    by = has.length ? { kind: "gene" } : item.composition ? { kind: "composition" } : first ? { kind: "category", key: first.key } : { kind: "none" };
  }
  return { ...state, by, layers };
}
