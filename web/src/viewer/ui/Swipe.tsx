/** The divider between two layers over one slide: drag it, or move it with the arrow keys. */

import { t } from "../../i18n";
import type { Plan } from "../painter";

interface Props {
  plans: readonly Plan[];
  share: number;
  onShare: (share: number) => void;
}

export function Swipe({ plans, share, onShare }: Props) {
  const [left, right] = plans.map((plan) => (plan.layer ? t(`slide.layer_${plan.layer}`) : ""));
  const clip = (value: number) => Math.min(0.98, Math.max(0.02, value));
  const drag = (event: PointerEvent) => {
    const handle = event.currentTarget as HTMLElement;
    const stage = handle.parentElement as HTMLElement;
    event.preventDefault();
    event.stopPropagation();
    handle.focus();
    handle.setPointerCapture(event.pointerId);
    const move = (next: PointerEvent) => {
      const box = stage.getBoundingClientRect();
      onShare(clip((next.clientX - box.left) / box.width));
    };
    handle.addEventListener("pointermove", move);
    handle.addEventListener("lostpointercapture", () => handle.removeEventListener("pointermove", move), { once: true });
  };
  return (
    <div
      class="swipe"
      data-over
      role="slider"
      tabIndex={0}
      aria-label={t("slide.swipe", { left: left ?? "", right: right ?? "" })}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.round(100 * share)}
      style={{ left: `${100 * share}%` }}
      onPointerDown={drag}
      onKeyDown={(event) => {
        const step = { ArrowLeft: -0.02, ArrowRight: 0.02, PageDown: -0.1, PageUp: 0.1 }[event.key];
        if (step) {
          event.preventDefault();
          event.stopPropagation();
          onShare(clip(share + step));
        }
      }}
    >
      <span class="swipe-grip" aria-hidden="true">
        ‹ ›
      </span>
    </div>
  );
}
