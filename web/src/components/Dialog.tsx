/** A modal window; the browser's own `dialog` keeps the focus in and closes on Escape. */
import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
import { t } from "../i18n";
import { Icon } from "./Icon";

interface Props {
  title: string;
  onClose: () => void;
  wide?: boolean;
  children: ComponentChildren;
}

export function Dialog({ title, onClose, wide = false, children }: Props) {
  const element = useRef<HTMLDialogElement>(null);
  const heading = useId();

  useEffect(() => {
    const back = document.activeElement;
    element.current?.showModal();
    return () => {
      if (back instanceof HTMLElement) back.focus();
    };
  }, []);

  return (
    <dialog
      ref={element}
      class={wide ? "wide" : undefined}
      aria-labelledby={heading}
      onClose={onClose}
      onClick={(event) => event.target === element.current && element.current?.close()}
    >
      <div class="dialog-body">
        <header class="dialog-head">
          <h2 id={heading}>{title}</h2>
          <button
            type="button"
            class="quiet square"
            aria-label={t("action.close")}
            onClick={() => element.current?.close()}
          >
            <Icon name="close" />
          </button>
        </header>
        <div class="dialog-content" tabIndex={0} role="group" aria-labelledby={heading}>
          {children}
        </div>
      </div>
    </dialog>
  );
}
