/** Small picture of an item, and its size in words. */
import { useState } from "preact/hooks";
import { address, part } from "../api";
import { num, t } from "../i18n";
import type { Item } from "../types";

export function Thumbnail({ item, max_px }: { item: Item; max_px: number }) {
  const [failed, setFailed] = useState(false);
  if (item.state === "waiting" || item.state === "opening") return <span class="no-picture">{t("home.opening")}</span>;
  if (failed || item.state === "failed") return <span class="no-picture">{t("home.no_picture")}</span>;
  const source = address(`items/${part(item.id)}/thumbnail`, { max_px });
  return <img src={source} alt="" loading="lazy" onError={() => setFailed(true)} />;
}

/** E.g. "9,490 × 9,075 px · 0.5 µm/px". */
export function pixels(item: Item): string {
  if (item.state === "waiting" || item.state === "opening") return t("home.opening");
  const scale = item.mpp === null ? t("home.no_scale") : `${num(item.mpp, { maximumFractionDigits: 3 })} µm/px`;
  return item.width_px && item.height_px ? `${num(item.width_px)} × ${num(item.height_px)} px · ${scale}` : scale;
}
