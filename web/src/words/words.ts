/** A sentence in both languages; `one` is the English form where `n` is 1. `{name}` is filled in. */
export interface Phrase {
  en: string;
  zh: string;
  one?: string;
}

export type Words = Record<string, Phrase>;
