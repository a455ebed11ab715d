/** The groups of a category: their colours as a legend, the gene's quartiles in each, and a way to select them. */

import { part, useApi } from "../../api";
import { ErrorState } from "../../components/states";
import { t } from "../../i18n";
import type { ItemDetail, LayerName, Summary } from "../../types";
import { short } from "../values";
import type { Selection } from "../view";

interface Props {
  item: ItemDetail;
  category: ItemDetail["categories"][number];
  gene: string | null;
  layer: LayerName | null;
  selection: Selection | null;
  onSelect: (selection: Selection | null) => void;
}

export function GroupsPanel({ item, category, gene, layer, selection, onSelect }: Props) {
  const path = gene && layer ? `items/${part(item.id)}/summary` : null;
  const { data, error } = useApi<Summary>(path, { gene, layer, category: category.key });
  const groups = new Map(path && data ? data.groups.map((group) => [group.name, group]) : []);
  const finite = [...groups.values()].filter((group) => Number.isFinite(group.q75));
  const low = Math.min(...finite.map((group) => Math.min(group.q25, group.mean)));
  const high = Math.max(...finite.map((group) => Math.max(group.q75, group.mean)), low + 1e-9);
  const x = (value: number) => `${2 + (96 * (value - low)) / (high - low)}%`;
  const picked = selection && "category" in selection && selection.category === category.key ? selection.code : null;
  return (
    <div class="groups">
      {error && <ErrorState error={error} />}
      <table>
        <thead>
          <tr>
            <th scope="col">{t("slide.group")}</th>
            <th scope="col" class="number">n</th>
            {gene && layer && <th scope="col">{t("slide.group_quartiles", { gene, layer: t(`slide.layer_${layer}`) })}</th>}
          </tr>
        </thead>
        <tbody>
          {category.names.map((name, code) => {
            const group = groups.get(name);
            return (
              <tr key={name}>
                <th scope="row">
                  <button
                    type="button"
                    class="group-name"
                    aria-pressed={picked === code}
                    title={t("slide.group_select", { name })}
                    onClick={() => onSelect(picked === code ? null : { category: category.key, code })}
                  >
                    <span class="swatch" style={{ background: category.colours[code] }} aria-hidden="true" />
                    {name}
                  </button>
                </th>
                <td class="number">{group?.n ?? ""}</td>
                {gene && layer && (
                  <td class="box-cell">
                    {group && group.n > 0 && (
                      <>
                        <div class="box-plot" aria-hidden="true">
                          <span class="box" style={{ left: x(group.q25), width: `calc(${x(group.q75)} - ${x(group.q25)})` }} />
                          <span class="median" style={{ left: x(group.median) }} />
                          <span class="mean" style={{ left: x(group.mean) }} />
                        </div>
                        <span class="unseen">
                          {t("slide.group_values", {
                            median: short(group.median),
                            q25: short(group.q25),
                            q75: short(group.q75),
                            mean: short(group.mean),
                          })}
                        </span>
                      </>
                    )}
                  </td>
                )}
              </tr>
            );
          })}
        </tbody>
      </table>
      {gene && layer && finite.length > 0 && (
        <div class="box-axis" aria-hidden="true">
          <span>{short(low)}</span>
          <span>{t("slide.group_key")}</span>
          <span>{short(high)}</span>
        </div>
      )}
    </div>
  );
}

/** The parts of a composition: a legend. */
export function PartsLegend({ names, colours }: { names: readonly string[]; colours: readonly string[] }) {
  return (
    <ul class="parts-legend">
      {names.map((name, k) => (
        <li key={name}>
          <span class="swatch" style={{ background: colours[k] }} aria-hidden="true" />
          {name}
        </li>
      ))}
    </ul>
  );
}
