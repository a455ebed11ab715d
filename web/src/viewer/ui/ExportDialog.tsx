/** Everything that can be taken away: a figure of this view, the data, a configuration for others' viewers. */

import { useState } from "preact/hooks";
import { ApiError, asApiError } from "../../api";
import { Copy } from "../../components/Copy";
import { Dialog } from "../../components/Dialog";
import { ErrorState } from "../../components/states";
import { t } from "../../i18n";
import type { ItemDetail } from "../../types";
import { saveFromServer, type ServerFile } from "../save";

interface Props {
  item: ItemDetail;
  gene: string | null;
  layer: string | null;
  indices: Uint32Array | null;
  onFigure: (format: "png" | "svg") => Promise<void>;
  onClose: () => void;
}

export function ExportDialog({ item, gene, layer, indices, onFigure, onClose }: Props) {
  const [busy, setBusy] = useState<string | null>(null);
  const [error, setError] = useState<ApiError | null>(null);
  const run = (name: string, work: () => Promise<void>) => () => {
    setBusy(name);
    setError(null);
    work().then(
      () => setBusy(null),
      (err) => {
        setBusy(null);
        setError(asApiError(err));
      },
    );
  };
  const chosen = indices && indices.length > 0 ? { indices: [...indices] } : {};
  const server = (what: ServerFile) => run(what, () => saveFromServer(item.id, what, { gene, layer, ...chosen }));
  const button = (name: string, label: string, work: () => void) => (
    <button type="button" disabled={busy !== null} onClick={work}>
      {busy === name ? t("slide.export_busy") : label}
    </button>
  );
  return (
    <Dialog title={t("slide.export")} onClose={onClose}>
      <div class="export">
        {error && <ErrorState error={error} />}
        <section>
          <h3>{t("slide.export_figure")}</h3>
          <p class="hint">{t("slide.export_figure_hint")}</p>
          <div class="row">
            {button("png", "PNG", run("png", () => onFigure("png")))}
            {button("svg", "SVG", run("svg", () => onFigure("svg")))}
          </div>
        </section>
        {item.n_observations > 0 && (
          <section>
            <h3>{t("slide.export_data")}</h3>
            <p class="hint">
              {indices?.length ? t("slide.export_data_chosen", { n: indices.length }) : t("slide.export_data_all", { n: item.n_observations })}
            </p>
            <div class="row">
              {button("csv", "CSV", server("csv"))}
              {button("geojson", "GeoJSON", server("geojson"))}
            </div>
          </section>
        )}
        {item.n_observations > 0 && (
          <section>
            <h3>{t("slide.export_others")}</h3>
            <p class="hint">{t("slide.export_others_hint")}</p>
            <div class="row">
              {button("html", t("slide.export_html"), server("html"))}
              {button("vitessce", "Vitessce", server("vitessce"))}
            </div>
          </section>
        )}
        <section>
          <h3>{t("slide.export_link")}</h3>
          <p class="hint">{t("slide.export_link_hint")}</p>
          <Copy text={location.href} />
        </section>
      </div>
    </Dialog>
  );
}
