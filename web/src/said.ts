/** What the server says, in the language of the page: its English sentences are the keys of `words/server.ts` and `words/metrics.ts`. */
import { lang } from "./i18n";
import { metrics } from "./words/metrics";
import { server as sentences } from "./words/server";

const server: Record<string, string> = { ...sentences, ...metrics };

interface Template {
  matches: RegExp;
  names: string[];
  zh: string;
}

const templates: Template[] = Object.entries(server)
  .filter(([en]) => en.includes("{"))
  .map(([en, zh]) => ({
    // Escape what means something in an expression, then let each {name} stand for any text.
    matches: new RegExp(`^${en.replace(/[.*+?^$()|[\]\\]/g, "\\$&").replace(/\{\w+\}/g, "(.+?)")}$`, "s"),
    names: [...en.matchAll(/\{(\w+)\}/g)].map((found) => found[1] as string),
    zh,
  }));

/** The page's own errors are shown as the server's are, and are Chinese already. */
const HAN = /\p{Script=Han}/u;

function chinese(text: string): string | null {
  const whole = Object.hasOwn(server, text) ? server[text] : undefined;
  if (whole !== undefined) return whole;
  for (const { matches, names, zh } of templates) {
    const found = matches.exec(text);
    if (!found) continue;
    const values = new Map(names.map((name, i) => [name, value(found[i + 1] as string)]));
    return zh.replace(/\{(\w+)\}/g, (given, name: string) => values.get(name) ?? given);
  }
  return null;
}

/** A value can itself be a sentence, or a list of counts. */
function value(text: string): string {
  const whole = chinese(text);
  if (whole !== null) return whole;
  const parts = text.split(", ").map((part) => [part, chinese(part)] as const);
  return parts.some(([, zh]) => zh !== null) ? parts.map(([part, zh]) => zh ?? part).join("、") : text;
}

/** A text of the server and, where it has no Chinese, the language that it then is in. */
export function said(text: string): { text: string; lang?: "en" } {
  if (lang.get() === "en") return { text };
  const zh = chinese(text);
  if (zh !== null) return { text: zh };
  return HAN.test(text) ? { text } : { text, lang: "en" };
}
