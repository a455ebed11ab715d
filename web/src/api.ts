/** The server, typed. Every failure is an `ApiError` with three parts: what is wrong, where, what to do. */
import { useEffect, useState } from "preact/hooks";
import { t } from "./i18n";

export class ApiError extends Error {
  constructor(
    readonly what: string,
    readonly where: string,
    readonly todo: string,
    readonly status = 0,
  ) {
    super(what);
    this.name = "ApiError";
  }
}

export type Params = Record<string, string | number | boolean | null | undefined>;

export function address(path: string, params: Params = {}): string {
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(params)) {
    if (value != null && value !== "") query.set(key, String(value));
  }
  const text = query.toString();
  return `/api/${path}${text ? `?${text}` : ""}`;
}

/** Escape one part of a path. */
export const part = encodeURIComponent;

export async function failure(response: Response, where: string): Promise<ApiError> {
  try {
    const { error } = (await response.json()) as { error: { what: string; where: string; todo: string } };
    return new ApiError(error.what, error.where, error.todo, response.status);
  } catch {
    const what = t("error.status", { status: String(response.status) });
    return new ApiError(what, where, t("error.status_todo"), response.status);
  }
}

async function ask(url: string, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, { credentials: "same-origin", ...init });
  } catch (err) {
    if (err instanceof DOMException && err.name === "AbortError") throw err;
    throw new ApiError(t("error.offline"), location.origin, t("error.offline_todo"));
  }
  if (!response.ok) throw await failure(response, url);
  return response;
}

export async function get<T>(path: string, params: Params = {}, signal?: AbortSignal): Promise<T> {
  const response = await ask(address(path, params), signal ? { signal } : {});
  return (await response.json()) as T;
}

export interface Binary {
  data: ArrayBuffer;
  headers: Headers;
}

export async function getBinary(path: string, params: Params = {}, signal?: AbortSignal): Promise<Binary> {
  const response = await ask(address(path, params), signal ? { signal } : {});
  return { data: await response.arrayBuffer(), headers: response.headers };
}

export async function post<T>(path: string, body: unknown, signal?: AbortSignal): Promise<T> {
  const response = await ask(address(path), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
    ...(signal ? { signal } : {}),
  });
  return (await response.json()) as T;
}

export async function remove(path: string): Promise<void> {
  await ask(address(path), { method: "DELETE" });
}

/** Send one file, with progress (`fetch` cannot tell how far an upload has come). */
export function upload<T>(
  path: string,
  file: File,
  onProgress: (share: number) => void,
  signal: AbortSignal,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", address(path));
    request.upload.onprogress = (event) => event.lengthComputable && onProgress(event.loaded / event.total);
    request.onload = () => {
      const body = new Response(request.responseText || "null", { status: request.status || 500 });
      if (request.status >= 200 && request.status < 300) body.json().then(resolve, reject);
      else failure(body, file.name).then(reject);
    };
    request.onerror = () => reject(new ApiError(t("error.upload"), file.name, t("error.upload_todo")));
    request.onabort = () => reject(new DOMException("cancelled", "AbortError"));
    signal.addEventListener("abort", () => request.abort());
    const form = new FormData();
    form.append("file", file);
    request.send(form);
  });
}

export interface Loaded<T> {
  data: T | null;
  error: ApiError | null;
  loading: boolean;
  reload: () => void;
}

export const asApiError = (err: unknown): ApiError =>
  err instanceof ApiError
    ? err
    : new ApiError(err instanceof Error ? err.message : String(err), location.pathname, t("error.bug_todo"));

/** Load for as long as the component lives; a new address aborts the old request. `null` loads nothing. */
export function useApi<T>(path: string | null, params: Params = {}): Loaded<T> {
  const key = path === null ? null : address(path, params);
  const [round, setRound] = useState(0);
  const [state, setState] = useState<{ key: string | null; data: T | null; error: ApiError | null }>({
    key: null,
    data: null,
    error: null,
  });
  useEffect(() => {
    if (path === null || key === null) return undefined;
    const stop = new AbortController();
    get<T>(path, params, stop.signal).then(
      (data) => setState({ key, data, error: null }),
      (err) => stop.signal.aborted || setState({ key, data: null, error: asApiError(err) }),
    );
    return () => stop.abort();
  }, [key, round]);
  return {
    data: state.data, // the old answer stays while the new one is on its way: pages do not flicker
    error: state.key === key ? state.error : null,
    loading: key !== null && state.key !== key,
    reload: () => setRound((n) => n + 1),
  };
}
