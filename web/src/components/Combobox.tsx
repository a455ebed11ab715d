/** A text field with completion, after the ARIA combobox pattern: arrows choose, Enter takes, Escape closes. */
import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { t } from "../i18n";

interface Props<Option> {
  label: string;
  /** Options for what is typed; may ask the server. */
  load: (query: string, signal: AbortSignal) => Promise<Option[]> | Option[];
  optionKey: (option: Option) => string;
  /** Text that stands in the field once chosen. */
  optionText: (option: Option) => string;
  render?: (option: Option) => ComponentChildren;
  chosen: Option | null;
  onChoose: (option: Option) => void;
  /** Told which option would be taken now. */
  onPoint?: (option: Option) => void;
  placeholder?: string;
  hideLabel?: boolean;
  disabled?: boolean;
}

export function Combobox<Option>(props: Props<Option>) {
  const { label, load, optionKey, optionText, chosen, onChoose } = props;
  const id = useId();
  const [text, setText] = useState(chosen ? optionText(chosen) : "");
  const [open, setOpen] = useState(false);
  const [typed, setTyped] = useState(false);
  const [options, setOptions] = useState<Option[] | null>(null);
  const [at, setAt] = useState(0);
  const list = useRef<HTMLUListElement>(null);
  const chosenKey = chosen ? optionKey(chosen) : null;

  useEffect(() => {
    setText(chosen ? optionText(chosen) : "");
    setTyped(false);
  }, [chosenKey]);

  useEffect(() => {
    if (!open) return undefined;
    const stop = new AbortController();
    // Opened without typing, the list shows everything rather than only what is chosen already.
    const timer = setTimeout(
      async () => {
        try {
          const found = await load(typed ? text : "", stop.signal);
          if (stop.signal.aborted) return;
          setOptions(found);
          setAt(
            Math.max(
              0,
              found.findIndex((option) => !typed && optionKey(option) === chosenKey),
            ),
          );
        } catch {
          if (!stop.signal.aborted) setOptions([]);
        }
      },
      typed ? 80 : 0,
    );
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [open, text, typed, load]);

  useEffect(() => {
    list.current?.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: "nearest" });
  }, [at, options]);

  const pointed = open ? options?.[at] : undefined;
  useEffect(() => {
    if (pointed) props.onPoint?.(pointed);
  }, [pointed]);

  const take = (option: Option) => {
    setText(optionText(option));
    setTyped(false);
    setOpen(false);
    onChoose(option);
  };

  const press = (event: KeyboardEvent) => {
    const count = options?.length ?? 0;
    const option = options?.[at];
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (!open) setOpen(true);
      else if (count) setAt((at + (event.key === "ArrowDown" ? 1 : count - 1)) % count);
    } else if (event.key === "Enter" && open && option) {
      event.preventDefault();
      take(option);
    } else if (event.key === "Escape" && open) {
      event.preventDefault();
      event.stopPropagation();
      close();
    }
  };

  const close = () => {
    setOpen(false);
    setTyped(false);
    setText(chosen ? optionText(chosen) : "");
  };

  const active = open && options?.[at];
  return (
    <div class="combobox">
      <label for={`${id}-field`} class={props.hideLabel ? "unseen" : "field-label"}>
        {label}
      </label>
      <input
        id={`${id}-field`}
        type="text"
        role="combobox"
        autocomplete="off"
        spellcheck={false}
        placeholder={props.placeholder}
        disabled={props.disabled}
        aria-autocomplete="list"
        aria-expanded={open}
        aria-controls={`${id}-list`}
        aria-activedescendant={active ? `${id}-${at}` : undefined}
        value={text}
        onInput={(event) => {
          setText(event.currentTarget.value);
          setTyped(true);
          setOpen(true);
        }}
        onClick={() => setOpen(true)}
        onFocus={(event) => event.currentTarget.select()}
        onBlur={close}
        onKeyDown={press}
      />
      <ul id={`${id}-list`} role="listbox" aria-label={label} ref={list} hidden={!open || options === null}>
        {options?.map((option, i) => (
          <li
            key={optionKey(option)}
            id={`${id}-${i}`}
            role="option"
            aria-selected={i === at}
            onMouseDown={(event) => event.preventDefault()} // the field keeps the focus
            onClick={() => take(option)}
            onMouseMove={() => at !== i && setAt(i)}
          >
            {props.render ? props.render(option) : optionText(option)}
          </li>
        ))}
        {options?.length === 0 && (
          <li role="option" aria-disabled="true" aria-selected="false" class="none">
            {t("state.none_found")}
          </li>
        )}
      </ul>
    </div>
  );
}
