/** Keys of the viewer: they work wherever the focus is, except where the focused control needs them itself. */

import { useEffect } from "preact/hooks";
import type { ItemDetail } from "../types";
import type { StageHandle } from "./ui/StageView";
import type { Tool } from "./tool";
import { LAYERS, type ViewState } from "./view";

interface Actions {
  step: (by: number) => void;
  section: (by: number) => void;
  tool: (tool: Tool) => void;
  change: (change: Partial<ViewState>) => void;
  show: (what: "export" | "keys") => void;
}

const PAN_CSS = 80;
const PAN: Record<string, [number, number]> = {
  ArrowLeft: [-PAN_CSS, 0],
  ArrowRight: [PAN_CSS, 0],
  ArrowUp: [0, -PAN_CSS],
  ArrowDown: [0, PAN_CSS],
};

export function useKeys(handle: StageHandle | null, item: ItemDetail, state: ViewState, tool: Tool, actions: Actions): void {
  useEffect(() => {
    if (!handle) {
      return undefined;
    }
    const press = (event: KeyboardEvent) => {
      const target = event.target instanceof Element ? event.target : document.body;
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || target.closest("dialog")) {
        return;
      }
      // Letters belong to text fields; arrows, space and Enter to any control but the stage itself.
      const typing = target.closest("input:not([type=checkbox]):not([type=radio]):not([type=range]), select, textarea");
      const control = target.closest("input, select, textarea, button, a, summary, [role=slider], [role=region]");
      if (typing || (control && (event.key.startsWith("Arrow") || event.key === " " || event.key === "Enter"))) {
        return;
      }
      if (act(event.key, handle, item, state, tool, actions)) {
        event.preventDefault();
      }
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  });
}

function act(key: string, { stage, outline }: StageHandle, item: ItemDetail, state: ViewState, tool: Tool, actions: Actions): boolean {
  const pan = PAN[key];
  if (pan) {
    stage.panBy(...pan);
    return true;
  }
  const digit = LAYERS[Number(key) - 1];
  if (digit && item.layers.some((layer) => layer.name === digit)) {
    const on = !state.layers.includes(digit);
    const layers = LAYERS.filter((name) => (name === digit ? on : state.layers.includes(name)));
    actions.change({ layers: layers.length ? layers : [digit] });
    return true;
  }
  const simple: Record<string, () => void> = {
    "+": () => stage.zoomBy(1.5),
    "=": () => stage.zoomBy(1.5),
    "-": () => stage.zoomBy(1 / 1.5),
    "0": () => stage.home(),
    "[": () => actions.step(-1),
    "]": () => actions.step(1),
    ",": () => actions.section(-1),
    ".": () => actions.section(1),
    s: () => actions.change({ mode: state.mode === "swipe" ? "side" : "swipe" }),
    v: () => actions.tool("pan"),
    l: () => actions.tool("lasso"),
    p: () => actions.tool("polygon"),
    e: () => actions.show("export"),
    "?": () => actions.show("keys"),
  };
  if (item.observations) {
    Object.assign(simple, {
      " ": tool === "polygon" ? () => outline.corner() : undefined,
      Enter: tool === "polygon" ? () => outline.close() : undefined,
      Escape: () => (outline.drawing ? outline.cancel() : tool === "pan" ? actions.change({ selection: null }) : actions.tool("pan")),
    });
  }
  const action = simple[key.length === 1 ? key.toLowerCase() : key];
  action?.();
  return action !== undefined;
}
