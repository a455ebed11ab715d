import type { Words } from "./words";

export const jobs = {
  "jobs.title": { en: "Jobs", zh: "Jobs" },
} satisfies Words;
