/** Light or dark: the system's until the reader chooses. */
import { remember, remembered, store } from "./store";

export type Theme = "light" | "dark";

const system = matchMedia("(prefers-color-scheme: dark)");
const chosen = (): Theme | null => {
  const value = remembered("theme");
  return value === "light" || value === "dark" ? value : null;
};

export const theme = store<Theme>(chosen() ?? (system.matches ? "dark" : "light"));

function apply(next: Theme): void {
  document.documentElement.dataset.theme = next;
  theme.set(next);
}

export function setTheme(next: Theme): void {
  remember("theme", next);
  apply(next);
}

apply(theme.get());
system.addEventListener("change", () => {
  if (chosen() === null) apply(system.matches ? "dark" : "light");
});
