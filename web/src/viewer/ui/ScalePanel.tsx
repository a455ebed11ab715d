/** How values become colours: histogram with range, logarithm, map, opacity. */

import { t } from "../../i18n";
import type { LayerName } from "../../types";
import { cssGradient, SEQUENTIAL } from "../colourmaps";
import { scaleOf, type Vectors } from "../looks";
import type { ViewState } from "../view";
import { RangeControl } from "./RangeControl";

interface Props {
  state: ViewState;
  layer: LayerName;
  vectors: Vectors;
  /** Whether there is more than one panel to share a range. */
  several: boolean;
  onChange: (change: Partial<ViewState>) => void;
}

export function ScalePanel({ state, layer, vectors, several, onChange }: Props) {
  const values = vectors[layer];
  const scale = scaleOf(state, layer, vectors, vectors);
  const own = layer === "residual" || layer === "uncertainty";
  return (
    <div class="scale-panel">
      {values && scale && (
        <RangeControl values={values} scale={scale} rule={state.range} fixed={own} onRule={(range) => onChange({ range })} />
      )}
      <div class="checks">
        <label class="check">
          <input
            type="checkbox"
            checked={state.range.log}
            onChange={(event) => onChange({ range: { ...state.range, log: event.currentTarget.checked } })}
          />
          {t("slide.log")}
        </label>
        {several && (
          <label class="check">
            <input type="checkbox" checked={state.shared} onChange={(event) => onChange({ shared: event.currentTarget.checked })} />
            {t("slide.shared")}
          </label>
        )}
      </div>
      <fieldset class="choice maps">
        <legend>{t("slide.map")}</legend>
        <div class="map-row">
          {SEQUENTIAL.map((name) => (
            <label key={name} class="map" title={name}>
              <input type="radio" name="slide-map" value={name} checked={state.map === name} onChange={() => onChange({ map: name })} />
              <span class="map-ramp" style={{ background: cssGradient(name) }} />
              <span class="map-name">{name}</span>
            </label>
          ))}
        </div>
      </fieldset>
    </div>
  );
}

export function OpacityControl({ opacity, onOpacity }: { opacity: number; onOpacity: (opacity: number) => void }) {
  return (
    <label class="slider">
      <span>{t("slide.opacity")}</span>
      <input
        type="range"
        min="0.05"
        max="1"
        step="0.05"
        value={opacity}
        aria-valuetext={`${Math.round(100 * opacity)} %`}
        onInput={(event) => onOpacity(event.currentTarget.valueAsNumber)}
      />
      <output>{Math.round(100 * opacity)} %</output>
    </label>
  );
}
