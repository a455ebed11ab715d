import { said } from "../said";

/** A text of the server: in the page's language, or marked as English. */
export function Said({ text }: { text: string }) {
  const shown = said(text);
  return <span lang={shown.lang}>{shown.text}</span>;
}
