/** From a slide to predicted expression in four steps; the address holds slide, model and job, so a reload goes on. */
import { useEffect, useState } from "preact/hooks";
import { asApiError, post, useApi, type ApiError } from "../api";
import { Step } from "../components/Steps";
import { ErrorState, Loading } from "../components/states";
import { t } from "../i18n";
import { setQuery, useQueryState } from "../router";
import { useTitle } from "../title";
import { useItems } from "../items";
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
  const items = useItems();
  const bundles = useApi<{ bundles: Bundle[] }>("bundles");
  const making = items.data?.making;
  // When generated sections have been made, the model that was fitted on them is there, too.
  useEffect(() => (making ? () => bundles.reload() : undefined), [making]);
  const [sent, setSent] = useState<Item[]>([]);

  const known = [...sent, ...(items.data?.items ?? [])];
  const slides = known.filter((one, i) => one.kind !== "prediction" && known.findIndex((k) => k.id === one.id) === i);
  const chosen = slides.find((one) => one.id === item) ?? null;
  const [given, setGiven] = useQueryState("mpp");
  // A slide that does not state its scale cannot be checked before somebody says it.
  const unscaled = chosen?.state === "ready" && chosen.mpp === null;
  const mpp = unscaled && Number(given) > 0 ? Number(given) : null;
  const asked: Asked | null = chosen && bundle && (!unscaled || mpp !== null) ? { item: chosen.id, bundle, mpp } : null;
  const { check, error: checkError } = useCheck(asked);
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
            {unscaled && <Scale value={given} onChange={setGiven} />}
          </Step>
          <Step n={2} title={t("predict.bundle")} state={models.some((m) => m.id === bundle) ? "done" : "open"}>
            {making && models.length === 0 ? (
              <Loading label={t("home.making")} />
            ) : (
              <BundleChoice bundles={models} chosen={bundle} onChoose={setBundle} />
            )}
          </Step>
          <Step n={3} title={t("predict.check")} state={check ? "done" : asked ? "open" : "waiting"}>
            <CheckResult name={chosen?.name ?? ""} waits={asked === null} check={check} error={checkError} />
          </Step>
          <Step n={4} title={t("predict.run")} state={check || job ? "open" : "waiting"}>
            {job ? <Running id={job} items={known} /> : <Start asked={asked} check={check} />}
          </Step>
        </div>
      )}
    </div>
  );
}

interface Asked {
  item: string;
  bundle: string;
  mpp: number | null;
}

/** Check as soon as slide and model are chosen. */
function useCheck(asked: Asked | null): { check: Check | null; error: ApiError | null } {
  const [check, setCheck] = useState<Check | null>(null);
  const [error, setError] = useState<ApiError | null>(null);
  useEffect(() => {
    setCheck(null);
    setError(null);
    if (asked === null) return undefined;
    const stop = new AbortController();
    const wait = asked.mpp === null ? 0 : 500; // it may still be typed
    const timer = setTimeout(() => {
      post<Check>("checks", asked, stop.signal).then(
        setCheck,
        (err) => stop.signal.aborted || setError(asApiError(err)),
      );
    }, wait);
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [asked?.item, asked?.bundle, asked?.mpp]);
  return { check, error };
}

function Scale({ value, onChange }: { value: string; onChange: (value: string) => void }) {
  return (
    <div class="scale">
      <label class="field-label" for="mpp">
        {t("predict.mpp")}
      </label>
      <input
        id="mpp"
        type="number"
        min="0.02"
        max="99"
        step="any"
        aria-describedby="mpp-note"
        value={value}
        onInput={(event) => onChange(event.currentTarget.value)}
      />
      <p id="mpp-note" class="muted small">
        {t("predict.mpp_note")}
      </p>
    </div>
  );
}

function Start({ asked, check }: { asked: Asked | null; check: Check | null }) {
  const [rescale, setRescale] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);
  const [sent, setSent] = useState(false);
  const start = async () => {
    setSent(true);
    setError(null);
    try {
      const job = await post<Job>("jobs", { kind: "predict", ...asked, rescale });
      setQuery({ job: job.id }, { replace: false });
    } catch (err) {
      setError(asApiError(err));
      setSent(false);
    }
  };
  const doubtful = check?.ok === "wrong";
  return (
    <div class="stack">
      {doubtful && (
        <label class="row check-line">
          <input type="checkbox" checked={rescale} onChange={(event) => setRescale(event.currentTarget.checked)} />
          {t("predict.rescale")}
        </label>
      )}
      <div class="row">
        <button type="button" class={doubtful ? "" : "primary"} disabled={!check || sent} onClick={start}>
          {t(doubtful ? "predict.start_anyway" : "predict.start")}
        </button>
        {!check && <span class="muted small">{t("predict.run_waits")}</span>}
      </div>
      {error && <ErrorState error={error} />}
    </div>
  );
}
