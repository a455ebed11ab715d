/** The catalogue's controlled words, loaded once. */
import { useApi } from "./api";
import { pick } from "./i18n";
import type { Terms } from "./types";

export type Facet = "task" | "approach" | "data" | "platform" | "resolution" | "organ" | "species";

/** Label of a term in the reader's language; the bare key until the vocabulary is here. */
export function useVocabulary(): (facet: Facet, key: string) => string {
  const { data } = useApi<Terms>("vocabulary");
  return (facet, key) => pick(data?.[facet]?.[key]) || key;
}
