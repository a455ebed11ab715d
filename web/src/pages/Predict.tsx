/** From a slide to predicted expression in four steps; the address holds slide, model and job, so a reload goes on. */
import { useEffect, useState } from "preact/hooks";
import { asApiError, post, useApi, type ApiError } from "../api";
import { Step } from "../components/Steps";
import { ErrorState, Loading } from "../components/states";
import { t } from "../i18n";
import { setQuery, useQueryState } from "../router";
import { useTitle } from "../title";
import type { Bundle, Check, Item, Job, Meta } from "../types";
import { BundleChoice } from "./predict/BundleChoice";
import { CheckResult } from "./predict/CheckResult";
import { Running } from "./predict/Running";
import { SlideChoice } from "./predict/SlideChoice";

export function Predict() {
  useTitle(t("predict.title"));
  const [item, setItem] = useQueryState("item");
  const [bundle, setBundle] = useQueryState("bundle");
  const [job] = useQueryState("job");
  const meta = useApi<Meta>("meta");
  const items = useApi<{ items: Item[] }>("items");
  const bundles = useApi<{ bundles: Bundle[] }>("bundles");
  const [sent, setSent] = useState<Item[]>([]);
  const { check, error: checkError } = useCheck(item, bundle);

  const known = [...sent, ...(items.data?.items ?? [])];
  const slides = known.filter((one, i) => one.kind !== "prediction" && known.findIndex((k) => k.id === one.id) === i);
  const chosen = slides.find((one) => one.id === item) ?? null;
  const models = bundles.data?.bundles ?? [];

  // The only model there is needs no choice.
  useEffect(() => {
    const only = models.length === 1 ? models[0] : undefined;
    if (only && !bundle) setBundle(only.id);
  }, [models.length, bundle]);

  const failed = meta.error ?? items.error ?? bundles.error;
  return (
    <div class="page narrow">
      <header class="page-head">
        <div>
          <h1>{t("predict.title")}</h1>
          <p class="lead">{t("predict.lead")}</p>
        </div>
      </header>
      {failed && <ErrorState error={failed} retry={() => location.reload()} />}
      {!failed && (!items.data || !bundles.data) && <Loading />}
      {items.data && bundles.data && (
        <div class="steps">
          <Step n={1} title={t("predict.slide")} state={chosen ? "done" : "open"}>
            <SlideChoice
              slides={slides}
              chosen={chosen}
              limit={meta.data?.limits.upload_bytes ?? null}
              onChoose={(next) => setItem(next.id)}
              onUpload={(next) => {
                setSent([next, ...sent]);
                setItem(next.id);
              }}
            />
          </Step>
          <Step n={2} title={t("predict.bundle")} state={models.some((m) => m.id === bundle) ? "done" : "open"}>
            <BundleChoice bundles={models} chosen={bundle} onChoose={setBundle} />
          </Step>
          <Step n={3} title={t("predict.check")} state={check ? "done" : item && bundle ? "open" : "waiting"}>
            <CheckResult waits={!item || !bundle} check={check} error={checkError} />
          </Step>
          <Step n={4} title={t("predict.run")} state={check || job ? "open" : "waiting"}>
            {job ? <Running id={job} items={known} /> : <Start item={item} bundle={bundle} check={check} />}
          </Step>
        </div>
      )}
    </div>
  );
}

/** Check as soon as slide and model are chosen. */
function useCheck(item: string, bundle: string): { check: Check | null; error: ApiError | null } {
  const [check, setCheck] = useState<Check | null>(null);
  const [error, setError] = useState<ApiError | null>(null);
  useEffect(() => {
    setCheck(null);
    setError(null);
    if (!item || !bundle) return undefined;
    const stop = new AbortController();
    post<Check>("checks", { item, bundle }, stop.signal).then(setCheck, (err) => stop.signal.aborted || setError(asApiError(err)));
    return () => stop.abort();
  }, [item, bundle]);
  return { check, error };
}

function Start({ item, bundle, check }: { item: string; bundle: string; check: Check | null }) {
  const [error, setError] = useState<ApiError | null>(null);
  const [asked, setAsked] = useState(false);
  const start = async () => {
    setAsked(true);
    setError(null);
    try {
      const job = await post<Job>("jobs", { kind: "predict", item, bundle });
      setQuery({ job: job.id }, { replace: false });
    } catch (err) {
      setError(asApiError(err));
      setAsked(false);
    }
  };
  const doubtful = check?.ok === "wrong";
  return (
    <div class="stack">
      <div class="row">
        <button type="button" class={doubtful ? "" : "primary"} disabled={!check || asked} onClick={start}>
          {t(doubtful ? "predict.start_anyway" : "predict.start")}
        </button>
        {!check && <span class="muted small">{t("predict.run_waits")}</span>}
      </div>
      {error && <ErrorState error={error} />}
    </div>
  );
}
