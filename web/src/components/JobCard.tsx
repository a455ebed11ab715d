/** One job: what it is, how far, how long still, and what came of it. */
import { useState } from "preact/hooks";
import { asApiError, part, remove, type ApiError } from "../api";
import { duration, num, score, t, tOr, when } from "../i18n";
import { isOver } from "../jobs";
import { Link } from "../router";
import type { Job, JobState as State } from "../types";
import { Progress } from "./Progress";
import { Said } from "./Said";
import { ErrorState } from "./states";

const TONE: Record<State, string> = { waiting: "", running: "accent", done: "good", failed: "bad", cancelled: "" };

export const jobName = (job: Job): string => job.title || tOr(`jobs.kind.${job.kind}`, job.kind);

export function JobState({ state }: { state: State }) {
  return <span class={`tag ${TONE[state]}`}>{t(`jobs.state.${state}`)}</span>;
}

export function JobCard({ job, onChange }: { job: Job; onChange?: () => void }) {
  const name = jobName(job);
  return (
    <article class="card job" aria-label={name}>
      <header class="row job-head">
        <span class="muted small">{tOr(`jobs.kind.${job.kind}`, job.kind)}</span>
        <JobState state={job.state} />
        <span class="muted small">{t("jobs.started", { when: when(job.created) })}</span>
      </header>
      <h3>{name}</h3>
      <JobProgress job={job} {...(onChange ? { onChange } : {})} />
      <JobMessage job={job} />
      {job.state === "done" && job.result_item && (
        <p>
          <Link href={`/slide/${part(job.result_item)}`}>{t("jobs.look")}</Link>
        </p>
      )}
      <JobScores job={job} />
      {job.error && <ErrorState error={job.error} />}
    </article>
  );
}

/** Bar, numbers and the button to cancel, while a job is under way. */
export function JobProgress({ job, onChange }: { job: Job; onChange?: () => void }) {
  const [error, setError] = useState<ApiError | null>(null);
  const [asked, setAsked] = useState(false);
  if (isOver(job)) return null;
  const name = jobName(job);
  const unit = tOr(`jobs.unit.${job.unit}`, job.unit);
  const facts = [
    job.total ? t("jobs.count", { done: job.done, total: job.total, unit }) : null,
    job.rate ? t("jobs.rate", { rate: num(job.rate, { maximumFractionDigits: job.rate < 10 ? 1 : 0 }), unit }) : null,
    job.eta_s !== null ? t("jobs.left", { time: duration(job.eta_s) }) : null,
  ].filter(Boolean);
  const cancel = async () => {
    setAsked(true);
    try {
      await remove(`jobs/${part(job.id)}`);
      onChange?.();
    } catch (err) {
      setError(asApiError(err));
      setAsked(false);
    }
  };
  return (
    <div class="stack">
      <Progress label={t("jobs.progress", { name })} done={job.done} total={job.total} />
      <div class="row job-facts">
        <span class="small">
          <Said text={job.message} />
          {facts.map((fact) => ` · ${fact}`)}
        </span>
        <button type="button" disabled={asked} aria-label={t("jobs.cancel_name", { name })} onClick={cancel}>
          {t("jobs.cancel")}
        </button>
      </div>
      {error && <ErrorState error={error} />}
    </div>
  );
}

/** What a job says of its result, such as whether the donor was in training. */
export function JobMessage({ job }: { job: Job }) {
  if (job.state !== "done" || !job.message) return null;
  return (
    <p class="small">
      <Said text={job.message} />
    </p>
  );
}

export function JobScores({ job }: { job: Job }) {
  const rows = Object.entries(job.scores ?? {}).filter((row): row is [string, number] => typeof row[1] === "number");
  if (rows.length === 0) return null;
  return (
    <table class="scores">
      <caption>{t("jobs.scores")}</caption>
      <thead>
        <tr>
          <th scope="col">{t("jobs.metric")}</th>
          <th scope="col" class="number">
            {t("jobs.value")}
          </th>
        </tr>
      </thead>
      <tbody>
        {rows.map(([metric, value]) => (
          <tr key={metric}>
            <th scope="row">
              <code>{metric}</code>
            </th>
            <td class="number">{score(value)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
