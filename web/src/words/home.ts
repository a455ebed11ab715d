import type { Words } from "./words";

export const home = {
  "home.title": { en: "Home", zh: "Home" },
} satisfies Words;
