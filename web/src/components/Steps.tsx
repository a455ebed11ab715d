/** A numbered part of a way through a task. */
import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";
import { t } from "../i18n";
import { Icon } from "./Icon";

interface Props {
  n: number;
  title: string;
  state: "open" | "done" | "waiting";
  children: ComponentChildren;
}

export function Step({ n, title, state, children }: Props) {
  const id = useId();
  return (
    <section class={`step ${state}`} aria-labelledby={id}>
      <span class="step-mark" aria-hidden="true">
        {state === "done" ? <Icon name="check" size={14} /> : n}
      </span>
      <h2 id={id}>
        <span class="unseen">{t("predict.step", { n })}: </span>
        {title}
      </h2>
      <div class="step-body">{children}</div>
    </section>
  );
}
