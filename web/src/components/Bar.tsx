/** The bar on top: where one can go, and the settings of this browser. */
import { useEffect, useRef } from "preact/hooks";
import { lang, setLang, t } from "../i18n";
import { useRunning } from "../jobs";
import { Link } from "../router";
import { useStore } from "../store";
import { setTheme, theme } from "../theme";
import { Icon } from "./Icon";

const PLACES = [
  ["/", "nav.home", /^\/($|slide\/)/],
  ["/predict", "nav.predict", /^\/predict/],
  ["/jobs", "nav.jobs", /^\/jobs/],
  ["/boards", "nav.boards", /^\/boards/],
  ["/papers", "nav.papers", /^\/papers/],
  ["/datasets", "nav.datasets", /^\/datasets/],
] as const;

export function Bar({ path }: { path: string }) {
  const running = useRunning();
  const nav = useRef<HTMLElement>(null);
  // On a small screen the parts do not fit side by side: the one that is open is brought into view.
  useEffect(
    () => nav.current?.querySelector("[aria-current]")?.scrollIntoView({ inline: "center", block: "nearest" }),
    [path],
  );
  return (
    <header class="bar">
      <Link href="/" class="brand" aria-label="HistoScribe">
        <Mark />
        <span class="brand-name">HistoScribe</span>
      </Link>
      <nav aria-label={t("nav.label")} ref={nav}>
        <ul>
          {PLACES.map(([href, key, here]) => (
            <li key={href}>
              <Link href={href} aria-current={here.test(path) ? "page" : undefined}>
                {t(key)}
                {href === "/jobs" && running > 0 && (
                  <span class="count" title={t("nav.running", { n: running })}>
                    <span aria-hidden="true">{running}</span>
                    <span class="unseen">{t("nav.running", { n: running })}</span>
                  </span>
                )}
              </Link>
            </li>
          ))}
        </ul>
      </nav>
      <div class="bar-end">
        <LanguageToggle />
        <ThemeToggle />
      </div>
    </header>
  );
}

function Mark() {
  return (
    <svg width="24" height="24" viewBox="0 0 32 32" aria-hidden="true" class="mark">
      <circle cx="8" cy="8" r="4.2" />
      <circle cx="24" cy="8" r="4.2" opacity="0.45" />
      <circle cx="8" cy="24" r="4.2" opacity="0.7" />
      <circle cx="16" cy="16" r="4.2" class="eosin" />
      <circle cx="24" cy="24" r="4.2" />
    </svg>
  );
}

export function LanguageToggle() {
  const other = lang.get() === "en" ? "zh" : "en";
  return (
    <button
      type="button"
      class="quiet"
      lang={other === "zh" ? "zh-CN" : "en-GB"}
      aria-label={t("lang.switch")}
      onClick={() => setLang(other)}
    >
      {t("lang.other")}
    </button>
  );
}

export function ThemeToggle() {
  const now = useStore(theme);
  const next = now === "dark" ? "light" : "dark";
  const label = t(next === "dark" ? "theme.dark" : "theme.light");
  return (
    <button type="button" class="quiet square" aria-label={label} title={label} onClick={() => setTheme(next)}>
      <Icon name={next === "dark" ? "moon" : "sun"} />
    </button>
  );
}
