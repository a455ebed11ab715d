/** The scale bar of a panel, and beside it whether single observations are too small to be drawn. */

import { t } from "../../i18n";
import { useStore, type Store } from "../../store";
import { scaleBar } from "../scalebar";
import type { Stage } from "../stage";

export function ScaleBarView({ stage, tick, panel, mpp }: { stage: Stage; tick: Store<number>; panel: string; mpp: number | null }) {
  useStore(tick);
  const frame = stage.frame(panel);
  if (!frame) {
    return null;
  }
  const bar = scaleBar(frame.scale, mpp, frame.box.width);
  return (
    <>
      <div class="scale-bar" role="img" aria-label={t("slide.scale_bar", { length: bar.label })}>
        <span class="scale-label">{bar.label}</span>
        <span class="scale-line" style={{ width: `${bar.width}px` }} />
      </div>
      {stage.dense.has(panel) && <p class="panel-note dense">{t("slide.dense")}</p>}
    </>
  );
}
