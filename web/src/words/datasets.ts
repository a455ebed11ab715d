import type { Words } from "./words";

export const datasets = {
  "datasets.title": { en: "Datasets", zh: "Datasets" },
} satisfies Words;
