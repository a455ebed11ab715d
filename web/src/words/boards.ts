import type { Words } from "./words";

export const boards = {
  "boards.title": { en: "Boards", zh: "Boards" },
} satisfies Words;
