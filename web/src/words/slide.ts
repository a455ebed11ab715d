import type { Words } from "./words";

export const slide = {
  "slide.title": { en: "Slide", zh: "Slide" },
} satisfies Words;
