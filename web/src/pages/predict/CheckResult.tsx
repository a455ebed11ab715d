/** What `check()` found, before anything is run. */
import type { ApiError } from "../../api";
import { Icon, type IconName } from "../../components/Icon";
import { Said } from "../../components/Said";
import { ErrorState, Loading } from "../../components/states";
import { t } from "../../i18n";
import type { Check, FindingLevel } from "../../types";

const TONE: Record<FindingLevel, [string, IconName]> = {
  ok: ["good", "check"],
  warn: ["warn", "warn"],
  wrong: ["bad", "wrong"],
};

interface Props {
  /** Name of the slide, which findings need not repeat. */
  name: string;
  waits: boolean;
  check: Check | null;
  error: ApiError | null;
}

export function CheckResult({ name, waits, check, error }: Props) {
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
              <Finding key={finding.what} finding={finding} name={name} />
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

function Finding({ finding, name }: { finding: Check["findings"][number]; name: string }) {
  const [tone, icon] = TONE[finding.level];
  const more = [finding.where === name ? "" : finding.where, finding.todo].filter(Boolean);
  return (
    <li class={`finding ${tone}`}>
      <Icon name={icon} />
      <div>
        <p>
          <Said text={finding.what} />
        </p>
        {more.length > 0 && (
          <p class="small muted">
            {more.map((text, i) => (
              <>
                {i > 0 && " · "}
                <Said text={text} />
              </>
            ))}
          </p>
        )}
      </div>
    </li>
  );
}
