/** Hand a file to the reader: one that the page made, or one that the server makes. */

import { address, ApiError, failure, part } from "../api";
import { t } from "../i18n";

export interface Wanted {
  gene: string | null;
  layer: string | null;
  indices?: number[];
}

export type ServerFile = "csv" | "geojson" | "vitessce" | "html";

export function saveBlob(blob: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** Ask the server for an export; the name is the one it gives. */
export async function saveFromServer(item: string, what: ServerFile, wanted: Wanted): Promise<void> {
  const { gene, layer, indices } = wanted;
  const url = address(`items/${part(item)}/export/${what}`, { gene, layer });
  let response: Response;
  try {
    response = await fetch(
      url,
      indices
        ? { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ indices }) }
        : {},
    );
  } catch {
    throw new ApiError(t("error.offline"), location.origin, t("error.offline_todo"));
  }
  if (!response.ok) {
    throw await failure(response, url);
  }
  const name = /filename="?([^";]+)"?/.exec(response.headers.get("content-disposition") ?? "")?.[1];
  saveBlob(await response.blob(), name ?? `${item}.${what === "vitessce" ? "zip" : what}`);
}
