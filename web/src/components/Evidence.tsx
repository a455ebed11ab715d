/** Where a catalogue record's facts come from, and where sources disagree. */
import { t } from "../i18n";
import type { Conflict, PaperRecord } from "../types";
import { External } from "./External";

export function Conflicts({ conflicts }: { conflicts: Conflict[] | undefined }) {
  if (!conflicts?.length) return null;
  return (
    <section class="section" aria-labelledby="conflicts">
      <h2 id="conflicts">{t("papers.conflicts")}</h2>
      <ul class="stack">
        {conflicts.map((conflict) => (
          <li key={conflict.field} class="card stack" lang="en">
            <p>
              <code>{conflict.field}</code>{" "}
              <span class="tag" lang="">
                {conflict.decided != null ? t("papers.decided", { value: String(conflict.decided) }) : t("papers.open")}
              </span>
            </p>
            <ul class="small">
              {conflict.claims.map((claim) => (
                <li key={claim.source}>
                  <span class="muted">{claim.source}:</span> {String(claim.value ?? "–")}
                </li>
              ))}
            </ul>
            <p class="small">{conflict.reason}</p>
          </li>
        ))}
      </ul>
    </section>
  );
}

export function Provenance({
  of,
  sources,
}: {
  of: PaperRecord["provenance"];
  sources: Record<string, string> | undefined;
}) {
  const rows = Object.entries(of ?? {});
  if (rows.length === 0) return null;
  return (
    <details class="fold">
      <summary>{t("papers.provenance")}</summary>
      <dl class="facts" lang="en">
        {rows.map(([field, claims]) => (
          <div key={field} class="contents">
            <dt>
              <code>{field}</code>
            </dt>
            <dd>
              {claims.map((claim, i) => {
                const name = typeof claim === "string" ? claim : claim.source;
                return (
                  <span key={name}>
                    {i > 0 && ", "}
                    <External href={sources?.[name] ?? name}>{name}</External>
                  </span>
                );
              })}
            </dd>
          </div>
        ))}
      </dl>
    </details>
  );
}
