/** Drawing an outline over a panel: freehand (lasso) or corner by corner (polygon), with the mouse or the keyboard. */

import { simplify } from "./geometry";
import { toSlide, toStage, type Frame, type Point } from "./plane";
import type { Stage } from "./stage";

export type Tool = "pan" | "lasso" | "polygon";

/** An outline in the making, level-0 px, over one panel. */
export interface Draft {
  panel: string;
  points: Point[];
  /** Where the pointer is, for the rubber band of a polygon. */
  tip: Point | null;
}

/** Outlines are kept to this many CSS px: finer than a hand is steady, coarse enough for an address. */
const TOLERANCE_CSS = 1.5;
/** A click this close to the first corner closes a polygon, CSS px. */
const CLOSE_CSS = 10;

export class OutlineTool {
  tool: Tool = "pan";
  private draft: Draft | null = null;
  private pointer: number | null = null;
  onDraft: (draft: Draft | null) => void = () => undefined;
  onDone: (polygon: Point[], panel: string) => void = () => undefined;

  constructor(private readonly stage: Stage) {
    const { root } = stage;
    // In the capture phase, so that OpenSeadragon neither pans nor zooms by what draws.
    root.addEventListener("pointerdown", this.down, { capture: true });
    root.addEventListener("pointermove", this.move, { capture: true });
    root.addEventListener("pointerup", this.up, { capture: true });
    root.addEventListener("dblclick", this.twice, { capture: true });
  }

  destroy(): void {
    const { root } = this.stage;
    root.removeEventListener("pointerdown", this.down, { capture: true });
    root.removeEventListener("pointermove", this.move, { capture: true });
    root.removeEventListener("pointerup", this.up, { capture: true });
    root.removeEventListener("dblclick", this.twice, { capture: true });
  }

  choose(tool: Tool): void {
    this.tool = tool;
    this.stage.setNavigation(tool === "pan");
    this.cancel();
  }

  cancel(): void {
    this.pointer = null;
    this.set(null);
  }

  get drawing(): boolean {
    return this.draft !== null;
  }

  /** Set a corner at the middle of the leading panel: the keyboard's click. */
  corner(): void {
    const panel = this.stage.leading;
    const frame = this.stage.frame(panel);
    if (this.tool !== "pan" && frame) {
      const { box } = frame;
      this.add(panel, frame, toSlide(frame, box.x + box.width / 2, box.y + box.height / 2));
    }
  }

  /** Close the outline. */
  close(): void {
    const { draft } = this;
    const frame = draft && this.stage.frame(draft.panel);
    this.cancel();
    if (draft && frame && draft.points.length >= 3) {
      const tolerance = this.tool === "lasso" ? TOLERANCE_CSS / frame.scale : 0;
      const polygon = simplify(draft.points, tolerance);
      if (polygon.length >= 3) {
        this.onDone(polygon, draft.panel);
      }
    }
  }

  private readonly down = (event: PointerEvent) => {
    const spot = this.spot(event);
    if (!spot || event.button !== 0) {
      return;
    }
    event.stopPropagation();
    if (this.tool === "lasso") {
      this.pointer = event.pointerId;
      this.stage.root.setPointerCapture(event.pointerId);
      this.set({ panel: spot.panel, points: [spot.at], tip: null });
    } else {
      this.add(spot.panel, spot.frame, spot.at);
    }
  };

  private readonly move = (event: PointerEvent) => {
    const { draft } = this;
    if (!draft) {
      return;
    }
    const frame = this.stage.frame(draft.panel);
    const spot = frame && toSlide(frame, ...this.local(event));
    if (!spot) {
      return;
    }
    event.stopPropagation();
    if (this.tool === "lasso") {
      this.set({ ...draft, points: [...draft.points, spot] });
    } else {
      this.set({ ...draft, tip: spot });
    }
  };

  private readonly up = (event: PointerEvent) => {
    if (this.tool === "lasso" && event.pointerId === this.pointer) {
      event.stopPropagation();
      this.close();
    }
  };

  private readonly twice = (event: MouseEvent) => {
    if (this.tool === "polygon" && this.draft) {
      event.stopPropagation();
      this.close();
    }
  };

  private add(panel: string, frame: Frame, at: Point): void {
    const { draft } = this;
    const first = draft?.points[0];
    if (!draft || draft.panel !== panel || !first) {
      this.set({ panel, points: [at], tip: null });
      return;
    }
    const [ax, ay] = toStage(frame, first);
    const [bx, by] = toStage(frame, at);
    if (draft.points.length >= 3 && Math.hypot(ax - bx, ay - by) < CLOSE_CSS) {
      this.close();
    } else {
      this.set({ ...draft, points: [...draft.points, at], tip: null });
    }
  }

  private spot(event: PointerEvent): { panel: string; frame: Frame; at: Point } | null {
    const target = event.target as Element;
    if (this.tool === "pan" || target.closest("[data-over]")) {
      return null; // a control that lies over the stage
    }
    const [x, y] = this.local(event);
    const panel = this.stage.at(x, y);
    const frame = panel && this.stage.frame(panel);
    return panel && frame ? { panel, frame, at: toSlide(frame, x, y) } : null;
  }

  private local(event: PointerEvent): [number, number] {
    const outer = this.stage.root.getBoundingClientRect();
    return [event.clientX - outer.left, event.clientY - outer.top];
  }

  private set(draft: Draft | null): void {
    this.draft = draft;
    this.onDraft(draft);
  }
}
