/** What `check()` found, before anything is run. */
import type { ApiError } from "../../api";
import { Icon, type IconName } from "../../components/Icon";
import { ErrorState, Loading } from "../../components/states";
import { t } from "../../i18n";
import type { Check, FindingLevel } from "../../types";

const TONE: Record<FindingLevel, [string, IconName]> = {
  ok: ["good", "check"],
  warn: ["warn", "warn"],
  wrong: ["bad", "wrong"],
};

export function CheckResult({ waits, check, error }: { waits: boolean; check: Check | null; error: ApiError | null }) {
  if (waits) return <p class="muted">{t("predict.check_waits")}</p>;
  if (error) return <ErrorState error={error} />;
  if (!check) return <Loading label={t("predict.checking")} />;
  const [tone, icon] = TONE[check.ok];
  return (
    <div class="check">
      <div class="stack">
        <div class={`notice ${tone}`} role="status">
          <Icon name={icon} />
          <p class="notice-title">{t(`predict.check.${check.ok}`)}</p>
        </div>
        {check.findings.length > 0 && (
          <ul class="findings">
            {check.findings.map((finding) => (
              <Finding key={finding.what} finding={finding} />
            ))}
          </ul>
        )}
      </div>
      {check.overlay && (
        <figure class="overlay">
          <img src={check.overlay} alt={t("predict.overlay")} />
          <figcaption class="muted small">{t("predict.overlay")}</figcaption>
        </figure>
      )}
    </div>
  );
}

function Finding({ finding }: { finding: Check["findings"][number] }) {
  const [tone, icon] = TONE[finding.level];
  return (
    <li class={`finding ${tone}`} lang="en">
      <Icon name={icon} />
      <div>
        <p>{finding.what}</p>
        {(finding.where || finding.todo) && (
          <p class="small muted">{[finding.where, finding.todo].filter(Boolean).join(" · ")}</p>
        )}
      </div>
    </li>
  );
}
