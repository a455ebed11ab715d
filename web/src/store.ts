/** A value that components follow. */
import { useEffect, useState } from "preact/hooks";

export interface Store<T> {
  get: () => T;
  set: (value: T) => void;
  subscribe: (listener: () => void) => () => void;
}

export function store<T>(initial: T): Store<T> {
  let value = initial;
  const listeners = new Set<() => void>();
  return {
    get: () => value,
    set(next) {
      if (Object.is(next, value)) return;
      value = next;
      for (const listener of [...listeners]) listener();
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

export function useStore<T>(from: Store<T>): T {
  const [value, setValue] = useState(from.get());
  useEffect(() => {
    setValue(() => from.get()); // it may have changed between rendering and here
    return from.subscribe(() => setValue(() => from.get()));
  }, [from]);
  return value;
}

/** Read and write one setting of this browser; private windows may refuse storage. */
export function remembered(key: string): string | null {
  try {
    return localStorage.getItem(`histoscribe.${key}`);
  } catch {
    return null;
  }
}

export function remember(key: string, value: string): void {
  try {
    localStorage.setItem(`histoscribe.${key}`, value);
  } catch {
    // The choice then lasts as long as the page.
  }
}
