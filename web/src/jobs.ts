/** Jobs of the server: the list, and one job followed live. */
import { useEffect, useState } from "preact/hooks";
import { address, asApiError, get, part, type ApiError } from "./api";
import { store, useStore } from "./store";
import type { Job } from "./types";

export const isOver = (job: Job): boolean =>
  job.state === "done" || job.state === "failed" || job.state === "cancelled";

/** How many jobs wait or run: shown in the bar, and kept fresh by whoever sees jobs. */
const running = store(0);
export const useRunning = (): number => useStore(running);

export function countRunning(jobs: Job[]): void {
  running.set(jobs.filter((job) => !isOver(job)).length);
}

/** Every job, asked for again while one is under way. */
export function useJobs(every_ms = 1500): { jobs: Job[] | null; error: ApiError | null; reload: () => void } {
  const [jobs, setJobs] = useState<Job[] | null>(null);
  const [error, setError] = useState<ApiError | null>(null);
  const [round, setRound] = useState(0);
  useEffect(() => {
    const stop = new AbortController();
    let timer = 0;
    const look = async () => {
      try {
        const answer = await get<{ jobs: Job[] }>("jobs", {}, stop.signal);
        setJobs(answer.jobs);
        setError(null);
        countRunning(answer.jobs);
        if (answer.jobs.some((job) => !isOver(job))) timer = window.setTimeout(look, every_ms);
      } catch (err) {
        if (!stop.signal.aborted) setError(asApiError(err));
      }
    };
    void look();
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [round, every_ms]);
  return { jobs, error, reload: () => setRound((n) => n + 1) };
}

/** One job by server-sent events; the browser connects again by itself after a break. */
export function useJob(id: string | null): { job: Job | null; error: ApiError | null } {
  const [job, setJob] = useState<Job | null>(null);
  const [error, setError] = useState<ApiError | null>(null);
  useEffect(() => {
    setJob(null);
    setError(null);
    if (id === null) return undefined;
    const stop = new AbortController();
    const source = new EventSource(address(`jobs/${part(id)}/events`));
    const take = (event: MessageEvent<string>) => {
      const next = JSON.parse(event.data) as Job;
      setJob(next);
      if (isOver(next)) source.close();
    };
    source.onmessage = take;
    source.addEventListener("job", take as EventListener);
    source.onerror = () => {
      if (source.readyState !== EventSource.CLOSED) return;
      // An event source does not say why it was refused; the plain address does.
      get<Job>(`jobs/${part(id)}`, {}, stop.signal).then(
        setJob,
        (err) => stop.signal.aborted || setError(asApiError(err)),
      );
    };
    return () => {
      stop.abort();
      source.close();
    };
  }, [id]);
  return { job, error };
}
