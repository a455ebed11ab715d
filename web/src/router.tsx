/** Paths and queries as the state of a view, so that every view is a link. */
import type { ComponentChildren } from "preact";
import { useCallback, useMemo } from "preact/hooks";
import { store, useStore } from "./store";

const place = store(location.pathname + location.search);
addEventListener("popstate", () => place.set(location.pathname + location.search));

export function navigate(to: string, { replace = false }: { replace?: boolean } = {}): void {
  if (to === location.pathname + location.search) return;
  history[replace ? "replaceState" : "pushState"](null, "", to);
  place.set(to);
}

export interface Place {
  path: string;
  query: URLSearchParams;
}

export function usePlace(): Place {
  const now = useStore(place);
  return useMemo(() => {
    const url = new URL(now, location.origin);
    return { path: url.pathname, query: url.searchParams };
  }, [now]);
}

export type Query = Record<string, string | number | null | undefined>;

/** Set or (null, empty) drop parts of the query; by default without a new entry in the history. */
export function setQuery(change: Query, { replace = true }: { replace?: boolean } = {}): void {
  const query = new URLSearchParams(location.search);
  for (const [key, value] of Object.entries(change)) {
    if (value == null || value === "") query.delete(key);
    else query.set(key, String(value));
  }
  const text = query.toString();
  navigate(location.pathname + (text ? `?${text}` : ""), { replace });
}

/** One word of the query, as state. */
export function useQueryState(key: string, initial = ""): [string, (value: string) => void] {
  const { query } = usePlace();
  const set = useCallback((value: string) => setQuery({ [key]: value === initial ? null : value }), [key, initial]);
  return [query.get(key) ?? initial, set];
}

interface LinkProps {
  href: string;
  class?: string;
  title?: string;
  id?: string;
  "aria-label"?: string;
  "aria-current"?: "page" | undefined;
  children?: ComponentChildren;
}

/** A link within the page: no reload, but a real address for new tabs and copies. */
export function Link({ href, children, ...rest }: LinkProps) {
  const follow = (event: MouseEvent) => {
    if (event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey)
      return;
    event.preventDefault();
    navigate(href);
    scrollTo(0, 0);
  };
  return (
    <a {...rest} href={href} onClick={follow}>
      {children}
    </a>
  );
}

/** The parts of `path` that `pattern` names, e.g. `/papers/:key`; null where it does not match. */
export function match(pattern: string, path: string): Record<string, string> | null {
  const want = pattern.split("/").filter(Boolean);
  const have = path.split("/").filter(Boolean);
  if (want.length !== have.length) return null;
  const found: Record<string, string> = {};
  for (const [i, part] of want.entries()) {
    const value = have[i] ?? "";
    if (part.startsWith(":")) {
      try {
        found[part.slice(1)] = decodeURIComponent(value);
      } catch {
        return null; // a broken escape is no page of ours
      }
    } else if (part !== value) return null;
  }
  return found;
}
