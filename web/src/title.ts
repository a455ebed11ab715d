import { useEffect } from "preact/hooks";

/** Name the browser's tab after the page. */
export function useTitle(...parts: (string | null | undefined)[]): void {
  const title = [...parts.filter(Boolean), "HistoScribe"].join(" · ");
  useEffect(() => {
    document.title = title;
  }, [title]);
}
