/** The code ladder: how far the code of a paper has been seen to go, 0 to 6. */
import { has, t, type Key } from "../i18n";
import { Icon } from "./Icon";

const RUNGS = [1, 2, 3, 4, 5, 6];

const word = (prefix: "papers.rung" | "papers.means", rung: number): string => {
  const key = `${prefix}.${rung}`;
  return has(key) ? t(key as Key) : String(rung);
};

export const rungName = (rung: number): string => word("papers.rung", rung);
export const rungMeaning = (rung: number): string => word("papers.means", rung);

/** Six small steps and the name of the highest. */
export function SmallLadder({ level }: { level: number }) {
  return (
    <span class="small-ladder" title={rungMeaning(level)}>
      <span class="pips" aria-hidden="true">
        {RUNGS.map((rung) => (
          <span key={rung} class={rung <= level ? (level >= 5 ? "pip high" : "pip on") : "pip"} />
        ))}
      </span>
      <span class="unseen">
        {t("papers.ladder")}, {t("papers.level", { n: level })}:
      </span>
      {rungName(level)}
    </span>
  );
}

interface Props {
  level: number;
  ladder: { rung: number; reached: boolean | null }[];
}

export function Ladder({ level, ladder }: Props) {
  return (
    <ol class="ladder">
      {ladder
        .filter(({ rung }) => rung > 0)
        .map(({ rung, reached }) => {
          const state = reached === null ? "unread" : reached ? "yes" : "no";
          return (
            <li key={rung} class={`rung ${state}${rung === level ? " here" : ""}`} title={rungMeaning(rung)}>
              <span class="rung-mark" aria-hidden="true">
                {state === "yes" ? <Icon name="check" size={12} /> : state === "no" ? "–" : "?"}
              </span>
              <strong>{rungName(rung)}</strong>
              <span class="small muted">{t(`papers.reached.${state}`)}</span>
            </li>
          );
        })}
    </ol>
  );
}
