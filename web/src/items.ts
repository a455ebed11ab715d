/** The list of items: asked for again for as long as some are being opened, or generated ones made. */
import { useEffect } from "preact/hooks";
import { useApi, type Loaded } from "./api";
import type { ErrorParts, Item } from "./types";

export interface Items {
  items: Item[];
  /** Generated sections, and the model fitted on them, are on their way. */
  making: boolean;
  making_error: ErrorParts | null;
}

const AGAIN_MS = 700;

export function useItems(): Loaded<Items> {
  const list = useApi<Items>("items");
  const { data, reload } = list;
  const more = data?.making || data?.items.some((item) => item.state === "waiting" || item.state === "opening");
  useEffect(() => {
    const timer = more ? setTimeout(reload, AGAIN_MS) : 0;
    return () => clearTimeout(timer);
  }, [data]);
  return list;
}
