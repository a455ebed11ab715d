import type { Words } from "./words";

export const predict = {
  "predict.title": { en: "Predict", zh: "Predict" },
} satisfies Words;
