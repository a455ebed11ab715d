/** The selection: how many, their marker genes against the rest, and their export. */

import { useEffect, useState } from "preact/hooks";
import { ApiError, asApiError, part, post } from "../../api";
import { ErrorState } from "../../components/states";
import { num, t } from "../../i18n";
import type { ItemDetail, LayerName, Markers } from "../../types";
import { saveFromServer } from "../save";
import { short } from "../values";

interface Props {
  item: ItemDetail;
  indices: Uint32Array | null;
  layer: LayerName | null;
  gene: string | null;
  onGene: (name: string) => void;
  onClear: () => void;
}

export function SelectionPanel({ item, indices, layer, gene, onGene, onClear }: Props) {
  const [error, setError] = useState<ApiError | null>(null);
  useEffect(() => setError(null), [indices]);
  if (indices === null) {
    return <p class="hint">{t("slide.select_hint")}</p>;
  }
  const save = (what: "csv" | "geojson") => {
    setError(null);
    saveFromServer(item.id, what, { gene, layer, indices: [...indices] }).catch((err) => setError(asApiError(err)));
  };
  return (
    <div class="selection">
      <div class="selection-head">
        <p>
          <strong>{t("slide.selected", { n: indices.length })}</strong>{" "}
          <span class="muted">{t("slide.of_all", { n: item.n_observations })}</span>
        </p>
        <button type="button" class="quiet" onClick={onClear}>
          {t("action.clear")}
        </button>
      </div>
      {indices.length > 0 && (
        <div class="row">
          <button type="button" onClick={() => save("geojson")}>GeoJSON</button>
          <button type="button" onClick={() => save("csv")}>CSV</button>
        </div>
      )}
      {error && <ErrorState error={error} />}
      {indices.length > 0 && layer && <MarkerTable item={item} indices={indices} layer={layer} gene={gene} onGene={onGene} />}
    </div>
  );
}

function MarkerTable({ item, indices, layer, gene, onGene }: Omit<Props, "onClear" | "indices" | "layer"> & { indices: Uint32Array; layer: LayerName }) {
  const [markers, setMarkers] = useState<Markers | null>(null);
  const [error, setError] = useState<ApiError | null>(null);
  const [round, setRound] = useState(0);
  useEffect(() => {
    const stop = new AbortController();
    setMarkers(null);
    setError(null);
    post<Markers>(`items/${part(item.id)}/markers`, { indices: [...indices], layer }, stop.signal).then(
      setMarkers,
      (err) => stop.signal.aborted || setError(asApiError(err)),
    );
    return () => stop.abort();
  }, [item.id, indices, layer, round]);
  if (error) {
    return <ErrorState error={error} retry={() => setRound(round + 1)} />;
  }
  if (!markers) {
    return <p class="hint" role="status">{t("slide.markers_wait")}</p>;
  }
  return (
    <div class="markers">
      <h3>{t("slide.markers", { layer: t(`slide.layer_${layer}`) })}</h3>
      <p class="hint">{t("slide.markers_hint", { inside: num(markers.n_inside), outside: num(markers.n_outside) })}</p>
      <div class="markers-scroll" tabIndex={0} role="region" aria-label={t("slide.markers", { layer: t(`slide.layer_${layer}`) })}>
        <table>
          <thead>
            <tr>
              <th scope="col">{t("slide.gene")}</th>
              <th scope="col" class="number" title={t("slide.fold_long")}>log₂FC</th>
              <th scope="col" class="number" title={t("slide.auc_long")}>AUC</th>
              <th scope="col" class="number" title={t("slide.p_long")}>p<sub>adj</sub></th>
            </tr>
          </thead>
          <tbody>
            {markers.genes.map((marker) => (
              <tr key={marker.name} aria-current={marker.name === gene ? "true" : undefined}>
                <th scope="row">
                  <button type="button" class="gene-link" onClick={() => onGene(marker.name)}>
                    {marker.name}
                  </button>
                </th>
                <td class="number">{short(marker.log2_fold_change)}</td>
                <td class="number">{marker.auc.toFixed(2)}</td>
                <td class="number">{short(marker.p_adjusted)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </div>
  );
}
