/** English and Chinese. Each page has its words in `words/<page>.ts`; a key without both languages does not compile. */
import { remember, remembered, store, useStore } from "./store";
import { boards } from "./words/boards";
import { common } from "./words/common";
import { datasets } from "./words/datasets";
import { home } from "./words/home";
import { jobs } from "./words/jobs";
import { papers } from "./words/papers";
import { predict } from "./words/predict";
import { slide } from "./words/slide";
import type { Phrase } from "./words/words";

const all = { ...common, ...home, ...predict, ...jobs, ...boards, ...papers, ...datasets, ...slide };

export type Lang = "en" | "zh";
export type Key = keyof typeof all;
export type Vars = Record<string, string | number>;

/** A text that the server has in both languages. */
export interface Both {
  en: string;
  zh: string;
}

const LOCALE: Record<Lang, string> = { en: "en-GB", zh: "zh-CN" };

function firstLang(): Lang {
  const asked = new URLSearchParams(location.search).get("lang") ?? remembered("lang");
  if (asked === "en" || asked === "zh") return asked;
  return navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en";
}

export const lang = store<Lang>(firstLang());

export function showLang(next: Lang): void {
  document.documentElement.lang = LOCALE[next];
  lang.set(next);
}

export function setLang(next: Lang): void {
  remember("lang", next);
  showLang(next);
}

/** Follow the language; the whole app renders again when it changes, so only canvases need this. */
export const useLang = (): Lang => useStore(lang);

export function t(key: Key, vars: Vars = {}): string {
  const phrase: Phrase = all[key];
  const here = lang.get();
  const text = here === "en" && vars.n === 1 && phrase.one !== undefined ? phrase.one : phrase[here];
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = vars[name];
    if (value === undefined) return whole;
    return typeof value === "number" ? num(value) : value;
  });
}

/** True where a key made from the server's word (such as `jobs.state.done`) has a phrase. */
export const has = (key: string): key is Key => key in all;

/** The phrase of a key made from the server's word, or that word where there is none. */
export const tOr = (key: string, otherwise: string): string => (has(key) ? t(key) : otherwise);

export const pick = (both: Both | string | null | undefined): string =>
  both == null ? "" : typeof both === "string" ? both : both[lang.get()] || both.en;

export function num(value: number, options: Intl.NumberFormatOptions = {}): string {
  return new Intl.NumberFormat(LOCALE[lang.get()], { maximumFractionDigits: 2, ...options }).format(value);
}

/** A score with a fixed number of decimals, and a true minus sign. */
export function score(value: number | null | undefined, decimals = 3): string {
  if (value == null || !Number.isFinite(value)) return "–";
  return value.toFixed(decimals).replace("-", "−");
}

export function bytes(n: number): string {
  const step = Math.min(4, Math.floor(Math.log2(Math.max(n, 1)) / 10));
  return `${num(n / 1024 ** step, { maximumFractionDigits: step > 1 ? 1 : 0 })} ${["B", "KiB", "MiB", "GiB", "TiB"][step]}`;
}

export function duration(seconds: number): string {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return t("time.seconds", { n: s });
  if (s < 3600) return t("time.minutes", { n: Math.round(s / 60) });
  return t("time.hours", { n: Math.round(s / 360) / 10 });
}

export function when(date: string | number): string {
  const value = new Date(typeof date === "number" ? date * 1000 : date);
  if (Number.isNaN(value.getTime())) return String(date);
  return new Intl.DateTimeFormat(LOCALE[lang.get()], { dateStyle: "medium", timeStyle: "short" }).format(value);
}
