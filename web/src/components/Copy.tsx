import { useEffect, useState } from "preact/hooks";
import { t } from "../i18n";
import { Icon } from "./Icon";

/** Copy a text; says in words whether it worked. */
export function Copy({ text, label }: { text: string; label?: string }) {
  const [state, setState] = useState<"idle" | "copied" | "failed">("idle");
  useEffect(() => {
    if (state === "idle") return undefined;
    const timer = setTimeout(() => setState("idle"), 3000);
    return () => clearTimeout(timer);
  }, [state]);
  const copy = () => {
    // Outside of loopback and https the browser has no clipboard for pages.
    if (!navigator.clipboard) setState("failed");
    else
      navigator.clipboard.writeText(text).then(
        () => setState("copied"),
        () => setState("failed"),
      );
  };
  return (
    <>
      <button type="button" onClick={copy}>
        <Icon name={state === "copied" ? "check" : "copy"} />
        {label ?? t("action.copy")}
      </button>
      <span role="status" class="copied">
        {state === "copied" ? t("action.copied") : state === "failed" ? t("action.copy_failed") : ""}
      </span>
    </>
  );
}
