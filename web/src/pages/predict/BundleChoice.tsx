/** The fitted models that the studio was given, each with what decides whether to trust it here. */
import { EmptyState } from "../../components/states";
import { t } from "../../i18n";
import type { Bundle } from "../../types";

interface Props {
  bundles: Bundle[];
  chosen: string;
  onChoose: (id: string) => void;
}

export function BundleChoice({ bundles, chosen, onChoose }: Props) {
  if (bundles.length === 0) {
    return (
      <EmptyState title={t("predict.no_bundle")}>
        <p>{t("predict.no_bundle_todo")}</p>
        <pre>
          <code>histoscribe studio slide.svs breast.bundle</code>
        </pre>
      </EmptyState>
    );
  }
  return (
    <fieldset class="bundles">
      <legend class="unseen">{t("predict.bundle_group")}</legend>
      {bundles.map((bundle) => (
        <label key={bundle.id} class="bundle card">
          <input
            type="radio"
            name="bundle"
            value={bundle.id}
            checked={bundle.id === chosen}
            onChange={() => onChoose(bundle.id)}
          />
          <span class="bundle-text">
            <strong>{bundle.name}</strong>
            <Facts bundle={bundle} />
          </span>
        </label>
      ))}
    </fieldset>
  );
}

function Facts({ bundle }: { bundle: Bundle }) {
  const trained = Array.isArray(bundle.trained_on) ? bundle.trained_on.join(", ") : bundle.trained_on;
  const facts: [string, string | number | null][] = [
    [t("predict.method"), bundle.method],
    [t("predict.encoder"), bundle.encoder],
    [t("predict.genes"), bundle.n_genes],
    [t("predict.tile"), bundle.tile_um === null ? null : `${bundle.tile_um} µm`],
    [t("predict.trained_on"), trained],
    [t("predict.licence"), bundle.licence],
  ];
  return (
    <span class="bundle-facts">
      {facts.map(([name, value]) => (
        <span key={name}>
          <span class="muted">{name}</span> <span>{value === null || value === "" ? t("value.unknown") : value}</span>
        </span>
      ))}
    </span>
  );
}
