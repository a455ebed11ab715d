/** A prediction under way, and what to do with it when it is done. */
import { useEffect, useState } from "preact/hooks";
import { asApiError, part, post, useApi, type ApiError } from "../../api";
import { JobMessage, JobProgress, JobScores, JobState } from "../../components/JobCard";
import { ErrorState, Loading } from "../../components/states";
import { t } from "../../i18n";
import { isOver, useJob } from "../../jobs";
import { Link, setQuery } from "../../router";
import type { Item, Job } from "../../types";

export function Running({ id, items }: { id: string; items: Item[] }) {
  const { job, error } = useJob(id);
  const again = () => setQuery({ job: null }, { replace: false });
  if (error) {
    return (
      <div class="stack">
        <ErrorState error={error} />
        <Again onClick={again} />
      </div>
    );
  }
  if (!job) return <Loading />;
  return (
    <div class="stack">
      <div class="row" role="status">
        <JobState state={job.state} />
        <span class="small muted">{!isOver(job) && t("predict.under_way")}</span>
        {job.state === "done" && <strong>{t("predict.done")}</strong>}
        {job.state === "cancelled" && <span>{t("predict.cancelled")}</span>}
      </div>
      <JobProgress job={job} />
      <JobMessage job={job} />
      {job.error && <ErrorState error={job.error} />}
      {job.state === "done" && job.result_item && <Result job={job} item={job.result_item} items={items} />}
      {isOver(job) && <Again onClick={again} />}
    </div>
  );
}

const Again = ({ onClick }: { onClick: () => void }) => (
  <div class="row">
    <button type="button" onClick={onClick}>
      {t("predict.again")}
    </button>
  </div>
);

/** The way to the viewer, and to a comparison where the same slide was measured. */
function Result({ job, item, items }: { job: Job; item: string; items: Item[] }) {
  const fresh = useApi<Item>(`items/${part(item)}`);
  const measured = items.filter((one) => one.kind === "section" && fresh.data?.compare.includes(one.id));
  return (
    <div class="stack">
      <div class="row">
        <Link class="button primary" href={`/slide/${part(item)}`}>
          {t("predict.open")}
        </Link>
      </div>
      {measured.map((section) => (
        <Evaluate key={section.id} prediction={item} section={section} />
      ))}
      <JobScores job={job} />
    </div>
  );
}

function Evaluate({ prediction, section }: { prediction: string; section: Item }) {
  const [id, setId] = useState<string | null>(null);
  const [error, setError] = useState<ApiError | null>(null);
  const { job, error: lost } = useJob(id);
  useEffect(() => setId(null), [prediction]);
  const start = () => {
    post<Job>("jobs", { kind: "evaluate", prediction, section: section.id }).then(
      (started) => setId(started.id),
      (err) => setError(asApiError(err)),
    );
  };
  return (
    <div class="stack">
      {id === null && (
        <div class="row">
          <button type="button" onClick={start}>
            {t("predict.evaluate", { name: section.name })}
          </button>
        </div>
      )}
      {(error ?? lost) && <ErrorState error={(error ?? lost) as ApiError} />}
      {job && <JobProgress job={job} />}
      {job?.error && <ErrorState error={job.error} />}
      {job && <JobMessage job={job} />}
      {job && <JobScores job={job} />}
    </div>
  );
}
