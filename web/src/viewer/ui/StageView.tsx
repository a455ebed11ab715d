/** The stage in the page: panels with their titles and legends, the layer's canvas, overlay, tooltip and tools. */

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { t } from "../../i18n";
import { store } from "../../store";
import type { ItemDetail } from "../../types";
import { scaleOf } from "../looks";
import { Painter, type Painted, type Plan } from "../painter";
import { toSlide, type Point, type View } from "../plane";
import { Stage } from "../stage";
import { OutlineTool, type Draft, type Tool } from "../tool";
import type { ViewState } from "../view";
import { ColourBar } from "./ColourBar";
import { describe, Tooltip } from "./Tooltip";
import { Navigator } from "./Navigator";
import { Overlay, type Hover } from "./Overlay";
import { ScaleBarView } from "./ScaleBarView";
import { depth, Verdict } from "./StackPanel";
import { Swipe } from "./Swipe";

/** What the page needs to work the stage from outside. */
export interface StageHandle {
  stage: Stage;
  painter: Painter;
  outline: OutlineTool;
}

interface Props {
  item: ItemDetail;
  plans: readonly Plan[];
  state: ViewState;
  painted: Painted | null;
  tool: Tool;
  polygon: readonly Point[] | null;
  onReady: (handle: StageHandle | null) => void;
  onFailed: () => void;
  onView: (view: View | null) => void;
  onSwipe: (share: number) => void;
}

export function StageView({ item, plans, state, painted, tool, polygon, onReady, onFailed, onView, onSwipe }: Props) {
  const root = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const [handle, setHandle] = useState<StageHandle | null>(null);
  const [tick] = useState(() => store(0));
  const [draft, setDraft] = useState<Draft | null>(null);
  const [byKeys, setByKeys] = useState(false);
  const panels = panelsOf(plans);
  const shown = useRef(item);
  shown.current = item;
  const hover = useHover(handle?.stage ?? null, painted, panels, tool, byKeys ? tick : null);

  useLayoutEffect(() => {
    const [element, surface] = [root.current, canvas.current];
    if (!element || !surface) {
      return undefined;
    }
    const stage = new Stage(element, surface);
    stage.ready.catch(onFailed);
    const made: StageHandle = { stage, painter: new Painter(stage), outline: new OutlineTool(stage) };
    made.outline.onDraft = setDraft;
    made.stage.onDrawn = () => tick.set(tick.get() + 1);
    made.stage.onView = () => {
      tick.set(tick.get() + 1);
      onView(made.stage.atHome ? null : made.stage.viewOf(shown.current));
    };
    if (state.view) {
      made.stage.show(state.view, item);
    }
    setHandle(made);
    onReady(made);
    return () => {
      onReady(null);
      made.painter.abort();
      made.outline.destroy();
      made.stage.destroy();
    };
  }, []);

  useEffect(() => handle?.outline.choose(tool), [handle, tool]);
  const columns = panels.length <= 3 ? panels.length : Math.ceil(Math.sqrt(panels.length));

  return (
    <div
      ref={root}
      class={`stage tool-${tool}`}
      data-panels={panels.length}
      data-gene={painted?.gene ?? ""}
      role="application"
      aria-label={t("slide.stage")}
      tabIndex={0}
      onKeyDown={() => setByKeys(true)}
      onPointerMove={() => byKeys && setByKeys(false)}
    >
      <div class="panels" style={{ gridTemplateColumns: `repeat(${columns}, minmax(0, 1fr))` }}>
        {panels.map(({ key, item: shown, plans: own }, at) => (
          <div class="panel" key={key}>
            {handle && <PanelHost stage={handle.stage} panel={key} item={shown} />}
            {own.map((plan, k) => (
              <PanelHead key={k} plan={plan} state={state} painted={painted} section={panels.length > 1 && state.mode === "sections" ? item.sections_of_stack.find(({ id }) => id === shown.id) ?? null : undefined} far={k > 0} bar={at === 0 || !state.shared || item.place === null || state.mode !== "sections"} loaded={painted?.gene === state.gene} />
            ))}
            {handle && <ScaleBarView stage={handle.stage} tick={tick} panel={key} mpp={shown.mpp} />}
          </div>
        ))}
      </div>
      <canvas ref={canvas} class="marks" aria-hidden="true" />
      {handle && (
        <Overlay
          stage={handle.stage}
          tick={tick}
          panels={panels}
          owner={item}
          draft={draft}
          polygon={polygon}
          hover={hover}
          cross={byKeys || (tool === "polygon" && byKeys)}
          swipe={state.mode === "swipe" && plans.length === 2 ? state.swipe : null}
        />
      )}
      {handle && state.mode === "swipe" && plans.length === 2 && <Swipe plans={plans} share={state.swipe} onShare={onSwipe} />}
      {handle && panels.length === 1 && <Navigator stage={handle.stage} tick={tick} item={item} />}
      {hover && painted && handle && <Tooltip stage={handle.stage} hover={hover} painted={painted} state={state} items={plans.map((plan) => plan.item)} />}
      <Spoken text={hover && painted ? describe(hover, painted, state, plans.map((plan) => plan.item)) : ""} />
    </div>
  );
}

function PanelHost({ stage, panel, item }: { stage: Stage; panel: string; item: ItemDetail }) {
  const host = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    if (host.current) {
      stage.attach(panel, host.current, item);
    }
    return () => stage.detach(panel);
  }, [stage, panel, item.id]);
  return <div ref={host} class="tissue" />;
}

interface HeadProps {
  plan: Plan;
  state: ViewState;
  painted: Painted | null;
  /** Where panels are sections: this one's depth and registration, null outside a stack. */
  section: ItemDetail["sections_of_stack"][number] | null | undefined;
  /** The right side of a swipe. */
  far: boolean;
  /** Sections of a stack share one range, and one bar says it. */
  bar: boolean;
  loaded: boolean;
}

function PanelHead({ plan, state, painted, section, far, bar, loaded }: HeadProps) {
  const { layer, item } = plan;
  const vectors = painted?.vectors.get(item.id) ?? {};
  const scale = layer && state.by.kind === "gene" ? scaleOf(state, layer, vectors, painted?.reference ?? {}) : null;
  const name = layer ? t(`slide.layer_${layer}`) : "";
  const title = section === undefined ? name : [item.name, section ? depth(section.z_um) : name].filter(Boolean).join(" · ");
  const missing = layer && state.gene && loaded && !vectors[layer];
  return (
    <div class={`panel-head${far ? " far" : ""}`}>
      {title && (
        <span class="panel-title">
          {title}
          {section?.pairs.map((pair) => <Verdict key={pair.fixed} pair={pair} />)}
        </span>
      )}
      {scale && bar && <ColourBar scale={scale} title={state.gene ?? ""} />}
      {missing && <p class="panel-note">{t("slide.no_layer", { gene: state.gene ?? "", layer: name })}</p>}
    </div>
  );
}

/** Says what is under the pointer or the cross, once it rests there. */
function Spoken({ text }: { text: string }) {
  const [said, setSaid] = useState("");
  useEffect(() => {
    const timer = setTimeout(() => setSaid(text), 350);
    return () => clearTimeout(timer);
  }, [text]);
  return (
    <div class="unseen" aria-live="polite">
      {said}
    </div>
  );
}

type Panels = { key: string; item: ItemDetail; plans: Plan[] }[];

function panelsOf(plans: readonly Plan[]): Panels {
  const panels: Panels = [];
  for (const plan of plans) {
    const known = panels.find((panel) => panel.key === plan.panel);
    if (known) {
      known.plans.push(plan);
    } else {
      panels.push({ key: plan.panel, item: plan.item, plans: [plan] });
    }
  }
  return panels;
}

/** The observation under the pointer, or under the cross while keys move the view. */
function useHover(stage: Stage | null, painted: Painted | null, panels: Panels, tool: Tool, cross: ReturnType<typeof store<number>> | null): Hover | null {
  const [hover, setHover] = useState<Hover | null>(null);
  const now = useRef({ painted, panels });
  now.current = { painted, panels };
  useEffect(() => {
    if (!stage) {
      return undefined;
    }
    const look = (x: number, y: number) => setHover((before) => same(before, find(stage, now.current.painted, now.current.panels, x, y)));
    const move = (event: PointerEvent) => {
      const over = (event.target as Element).closest("[data-over]");
      const box = stage.root.getBoundingClientRect();
      if (over || event.buttons) {
        setHover(null);
      } else {
        look(event.clientX - box.left, event.clientY - box.top);
      }
    };
    const leave = () => setHover(null);
    stage.root.addEventListener("pointermove", move);
    stage.root.addEventListener("pointerleave", leave);
    const middle = () => {
      const box = stage.frame(stage.leading)?.box;
      if (box) {
        look(box.x + box.width / 2, box.y + box.height / 2);
      }
    };
    const unsubscribe = cross?.subscribe(middle);
    return () => {
      stage.root.removeEventListener("pointermove", move);
      stage.root.removeEventListener("pointerleave", leave);
      unsubscribe?.();
    };
  }, [stage, cross]);
  return tool === "lasso" ? null : hover;
}

function find(stage: Stage, painted: Painted | null, panels: Panels, x: number, y: number): Hover | null {
  const key = stage.at(x, y);
  const frame = key && stage.frame(key);
  const item = panels.find((panel) => panel.key === key)?.item;
  const placement = item && painted?.placements.get(item.id);
  if (!key || !frame || !item?.observations || !placement) {
    return null;
  }
  const [px, py] = toSlide(frame, x, y);
  const { size_px: size, shape } = item.observations;
  const square = shape === "square";
  // Marks smaller than a fingertip on screen are still easy to point at.
  const reach = Math.max((size / 2) * (square ? Math.SQRT2 : 1), 3 / frame.scale);
  const observation = placement.nearest(px, py, reach);
  if (observation < 0) {
    return null;
  }
  return { panel: key, item: item.id, observation, centre: placement.centre(observation), size, square };
}

const same = (before: Hover | null, next: Hover | null) =>
  before && next && before.observation === next.observation && before.panel === next.panel ? before : next;

