/** What is shown: colour by gene, group or composition; which layers; beside each other, swiped, or section by section. */

import { t, tOr } from "../../i18n";
import type { ItemDetail, LayerName } from "../../types";
import type { ColourBy, Mode, ViewState } from "../view";

interface Props {
  item: ItemDetail;
  state: ViewState;
  /** How many sections can be fanned out, this one included. */
  sections: number;
  onChange: (change: Partial<ViewState>) => void;
}

export function ShowPanel({ item, state, sections, onChange }: Props) {
  const choices: { by: ColourBy; label: string }[] = [
    ...(item.layers.length ? [{ by: { kind: "gene" } as const, label: t("slide.by_gene") }] : []),
    ...item.categories.map((category) => ({
      by: { kind: "category", key: category.key } as const,
      label: tOr(`slide.category_${category.key}`, category.key),
    })),
    ...(item.composition ? [{ by: { kind: "composition" } as const, label: t("slide.by_composition") }] : []),
    { by: { kind: "none" } as const, label: t("slide.by_none") },
  ];
  const gene = state.by.kind === "gene";
  const modes: { mode: Mode; label: string }[] = [
    ...(gene && item.layers.length > 1
      ? [
          { mode: "side" as const, label: t("slide.mode_side") },
          { mode: "swipe" as const, label: t("slide.mode_swipe") },
        ]
      : [{ mode: "side" as const, label: t("slide.mode_one") }]),
    ...(sections > 1 ? [{ mode: "sections" as const, label: t("slide.mode_sections", { n: sections }) }] : []),
  ];
  return (
    <div class="show-panel">
      {choices.length > 1 && (
        <Choice
          name="by"
          label={t("slide.colour_by")}
          options={choices.map(({ by, label }) => ({ value: keyOf(by), label }))}
          value={keyOf(state.by)}
          onValue={(value) => onChange({ by: choices.find(({ by }) => keyOf(by) === value)?.by ?? { kind: "none" } })}
        />
      )}
      {gene && item.layers.length > 1 && (
        <fieldset class="choice">
          <legend>{t("slide.layers")}</legend>
          <div class="segments">
            {item.layers.map(({ name }) => (
              <label key={name} class="segment">
                <input
                  type="checkbox"
                  checked={state.layers.includes(name)}
                  onChange={(event) => onChange({ layers: toggled(item, state.layers, name, event.currentTarget.checked) })}
                />
                <span>{t(`slide.layer_${name}`)}</span>
              </label>
            ))}
          </div>
        </fieldset>
      )}
      {modes.length > 1 && (
        <Choice
          name="mode"
          label={t("slide.arrange")}
          options={modes.map(({ mode, label }) => ({ value: mode, label }))}
          value={state.mode}
          onValue={(mode) => onChange({ mode: mode as Mode })}
        />
      )}
    </div>
  );
}

/** A row of choices, one of which holds. */
export function Choice(props: {
  name: string;
  label: string;
  options: { value: string; label: string }[];
  value: string;
  onValue: (value: string) => void;
}) {
  return (
    <fieldset class="choice">
      <legend>{props.label}</legend>
      <div class="segments">
        {props.options.map(({ value, label }) => (
          <label key={value} class="segment">
            <input
              type="radio"
              name={`slide-${props.name}`}
              value={value}
              checked={value === props.value}
              onChange={() => props.onValue(value)}
            />
            <span>{label}</span>
          </label>
        ))}
      </div>
    </fieldset>
  );
}

/** Layers keep the item's order; the last one shown stays. */
function toggled(item: ItemDetail, layers: readonly LayerName[], name: LayerName, on: boolean): LayerName[] {
  const next = item.layers.map((layer) => layer.name).filter((one) => (one === name ? on : layers.includes(one)));
  return next.length ? next : [name];
}

const keyOf = (by: ColourBy) => (by.kind === "category" ? `category:${by.key}` : by.kind);
