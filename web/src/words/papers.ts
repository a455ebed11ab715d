import type { Words } from "./words";

export const papers = {
  "papers.title": { en: "Papers", zh: "Papers" },
} satisfies Words;
