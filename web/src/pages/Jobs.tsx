import { EmptyState, ErrorState, Loading } from "../components/states";
import { JobCard } from "../components/JobCard";
import { t } from "../i18n";
import { useJobs } from "../jobs";
import { Link } from "../router";
import { useTitle } from "../title";

export function Jobs() {
  const { jobs, error, reload } = useJobs();
  useTitle(t("jobs.title"));
  return (
    <div class="page">
      <header class="page-head">
        <div>
          <h1>{t("jobs.title")}</h1>
          <p class="lead">{t("jobs.lead")}</p>
        </div>
        <Link class="button primary" href="/predict">
          {t("nav.predict")}
        </Link>
      </header>
      {error && <ErrorState error={error} retry={reload} />}
      {!jobs && !error && <Loading />}
      {jobs?.length === 0 && (
        <EmptyState title={t("jobs.empty")}>
          <p>{t("jobs.empty_todo")}</p>
          <Link class="button" href="/predict">
            {t("nav.predict")}
          </Link>
        </EmptyState>
      )}
      {jobs && jobs.length > 0 && (
        <div class="stack">
          {jobs.map((job) => (
            <JobCard key={job.id} job={job} onChange={reload} />
          ))}
        </div>
      )}
    </div>
  );
}
