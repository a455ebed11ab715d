/** The whole slide in small, with the part in view; a drag or the stage's own keys move it. */

import { part } from "../../api";
import { t } from "../../i18n";
import { useStore, type Store } from "../../store";
import type { ItemDetail } from "../../types";
import { cornersOf } from "../plane";
import type { Stage } from "../stage";

const LONG_CSS = 132;

export function Navigator({ stage, tick, item }: { stage: Stage; tick: Store<number>; item: ItemDetail }) {
  useStore(tick);
  const shrink = LONG_CSS / Math.max(item.width_px, item.height_px);
  const frame = stage.frame(stage.leading);
  const [width, height] = [item.width_px * shrink, item.height_px * shrink];
  const go = (event: PointerEvent) => {
    const box = (event.currentTarget as Element).getBoundingClientRect();
    const scale = stage.view()?.scale;
    if (event.buttons & 1 && scale) {
      stage.show({ x: (event.clientX - box.left) / shrink, y: (event.clientY - box.top) / shrink, scale }, item);
    }
  };
  return (
    <div
      class="navigator"
      data-over
      style={{ width: `${width}px`, height: `${height}px` }}
      aria-hidden="true"
      title={t("slide.navigator")}
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        go(event);
      }}
      onPointerMove={go}
    >
      {item.slide && <img src={`/api/items/${part(item.id)}/thumbnail?max_px=512`} alt="" draggable={false} />}
      {frame && (
        <svg viewBox={`0 0 ${width} ${height}`}>
          <polygon points={cornersOf(frame, frame.box).map(([x, y]) => `${x * shrink},${y * shrink}`).join(" ")} />
        </svg>
      )}
    </div>
  );
}
