/** Facets with counts; pressing one again takes it out. */
import { useState } from "preact/hooks";
import { rungName } from "../../components/Ladder";
import { num, t } from "../../i18n";
import { setQuery, usePlace } from "../../router";
import type { PaperList } from "../../types";
import type { Facet } from "../../vocabulary";

const SHOWN = 8;

interface Props {
  facets: PaperList["facets"] | null;
  term: (facet: Facet, key: string) => string;
}

export function Filters({ facets, term }: Props) {
  const { query } = usePlace();
  const choose = (key: string, value: string | null) =>
    setQuery({ [key]: query.get(key) === value ? null : value, offset: null });
  if (!facets) return <aside class="filters" aria-label={t("papers.filters")} />;
  return (
    <aside class="filters" aria-label={t("papers.filters")}>
      <label class="row check-line">
        <input
          type="checkbox"
          checked={query.get("implemented") !== null}
          onChange={(event) => setQuery({ implemented: event.currentTarget.checked ? "true" : null, offset: null })}
        />
        {t("papers.implemented")}
      </label>
      <Tasks counts={facets.task} chosen={query.get("task")} term={term} onChoose={(key) => choose("task", key)} />
      <Years counts={facets.year} />
      <fieldset>
        <legend>{t("papers.rung")}</legend>
        {[1, 2, 3, 4, 5, 6].map((rung) => (
          <Facet
            key={rung}
            label={rungName(rung)}
            n={atLeast(facets.rung, rung)}
            pressed={query.get("rung") === String(rung)}
            onPress={() => choose("rung", String(rung))}
          />
        ))}
      </fieldset>
    </aside>
  );
}

const atLeast = (counts: Record<string, number>, rung: number): number =>
  Object.entries(counts).reduce((sum, [key, n]) => (Number(key) >= rung ? sum + n : sum), 0);

interface FacetProps {
  label: string;
  n: number;
  pressed: boolean;
  onPress: () => void;
}

function Facet({ label, n, pressed, onPress }: FacetProps) {
  return (
    <button type="button" class="facet" aria-pressed={pressed} disabled={n === 0 && !pressed} onClick={onPress}>
      <span>{label}</span>
      <span class="facet-n">{num(n)}</span>
    </button>
  );
}

interface TasksProps {
  counts: Record<string, number>;
  chosen: string | null;
  term: Props["term"];
  onChoose: (key: string) => void;
}

function Tasks({ counts, chosen, term, onChoose }: TasksProps) {
  const [all, setAll] = useState(false);
  const sorted = Object.entries(counts).sort((a, b) => b[1] - a[1]);
  const shown = sorted.filter(([key], i) => all || i < SHOWN || key === chosen);
  return (
    <fieldset>
      <legend>{t("papers.task")}</legend>
      {shown.map(([key, n]) => (
        <Facet key={key} label={term("task", key)} n={n} pressed={key === chosen} onPress={() => onChoose(key)} />
      ))}
      {!all && sorted.length > SHOWN && (
        <button type="button" class="quiet small" onClick={() => setAll(true)}>
          {t("papers.more_tasks")}
        </button>
      )}
    </fieldset>
  );
}

/** A bar a year; pressing two bars one after the other chooses the years between them. */
function Years({ counts }: { counts: Record<string, number> }) {
  const { query } = usePlace();
  const years = Object.keys(counts)
    .map(Number)
    .filter(Boolean)
    .sort((a, b) => a - b);
  const last = years[years.length - 1];
  if (last === undefined) return null;
  const first = Math.max(years[0] ?? last, last - 11); // the few before share the chart's left edge in no useful way
  const from = Number(query.get("year_from")) || null;
  const to = Number(query.get("year_to")) || null;
  const most = Math.max(...Object.values(counts));
  const press = (year: number) => {
    if (from === null || from !== to) setQuery({ year_from: year, year_to: year, offset: null });
    else if (year === from) setQuery({ year_from: null, year_to: null, offset: null });
    else setQuery({ year_from: Math.min(from, year), year_to: Math.max(from, year), offset: null });
  };
  return (
    <fieldset>
      <legend>{t("papers.year")}</legend>
      <div class="years">
        {Array.from({ length: last - first + 1 }, (_, i) => first + i).map((year) => {
          const n = counts[String(year)] ?? 0;
          const label = t("papers.year_n", { year: String(year), n });
          const pressed = from !== null && to !== null && year >= from && year <= to;
          return (
            <button
              key={year}
              type="button"
              aria-pressed={pressed}
              aria-label={label}
              title={label}
              onClick={() => press(year)}
            >
              <span style={{ height: `${Math.max(3, (n / most) * 100)}%` }} />
            </button>
          );
        })}
      </div>
      <div class="years-ends muted small" aria-hidden="true">
        <span>{first}</span>
        <span>{last}</span>
      </div>
    </fieldset>
  );
}
