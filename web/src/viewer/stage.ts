/**
 * The stage: one to many panels that pan and zoom together, with the observation layer over all of them.
 *
 * A panel is an OpenSeadragon viewer in its own element; scenes say what the layer draws over which panel. A panel's
 * observations are drawn in the frame in which its tissue is drawn, so that both move as one.
 */

import OpenSeadragon from "openseadragon";
import type { ItemDetail } from "../types";
import { ObservationLayer, type Look, type Marks } from "./layer";
import { openViewer } from "./opened";
import { holds, turned, type Box, type Frame, type Point, type View } from "./plane";
import { carryView, homeView, together, turnOf } from "./registered";

/** One drawing over one panel; `from` and `to` are shares of the panel's width, for the swipe divider. */
export interface Scene {
  panel: string;
  set: string;
  channel: string;
  look: Look;
  from: number;
  to: number;
}

interface Panel {
  item: ItemDetail;
  host: HTMLElement;
  viewer: OpenSeadragon.Viewer;
  drawn: string;
  /** Where it lies; measured again after each change of the layout, not in each frame. */
  box: Box | null;
}

/** How long after the last movement a view is drawn with all the care there is, ms. */
const SETTLE_MS = 140;

export class Stage {
  /** There once the driver has compiled its shaders; tissue does not wait for it. */
  layer: ObservationLayer | null = null;
  readonly ready: Promise<ObservationLayer>;
  private readonly panels = new Map<string, Panel>();
  private scenes: readonly Scene[] = [];
  private leader = "";
  private linked = true;
  private lastMove = 0;
  private settle = 0;
  private pending = 0;
  private pendingView: [View, ItemDetail] | null = null;
  /** Until the reader moves, a new layout of panels shows the whole slide again. */
  private untouched = true;
  private readonly watcher: ResizeObserver;
  /** Called when the view of the leading panel has changed. */
  onView: (key: string, frame: Frame) => void = () => undefined;
  /** Called once all panels have been drawn anew. */
  onDrawn: () => void = () => undefined;
  /** Panels that show means, because they hold too many observations for shapes even at rest. */
  readonly dense = new Set<string>();

  constructor(
    readonly root: HTMLElement,
    canvas: HTMLCanvasElement,
  ) {
    // A moment later: the first tiles are asked for before the GPU is started.
    this.ready = new Promise<void>((resolve) => setTimeout(resolve)).then(() => ObservationLayer.create(canvas));
    this.ready.then(
      (layer) => {
        this.layer = layer;
        this.redraw();
      },
      () => undefined, // who waits for it says so
    );
    this.watcher = new ResizeObserver(() => {
      if (this.untouched) {
        requestAnimationFrame(() => this.home(true));
      }
      this.redraw();
    });
    this.watcher.observe(root);
  }

  /** Open an item in an element of the stage. */
  attach(key: string, host: HTMLElement, item: ItemDetail): void {
    const viewer = openViewer(host, item);
    const panel: Panel = { item, host, viewer, drawn: "", box: null };
    this.panels.set(key, panel);
    this.watcher.observe(host);
    host.addEventListener("pointerenter", () => {
      this.leader = key;
    });
    for (const event of ["canvas-drag", "canvas-scroll", "canvas-pinch", "canvas-double-click"] as const) {
      viewer.addHandler(event, () => this.touch());
    }
    if (!this.panels.has(this.leader)) {
      this.leader = key;
    }
    viewer.addHandler("open", () => {
      const frame = this.frame(this.leader);
      if (this.pendingView) {
        this.show(...this.pendingView);
      } else if (key !== this.leader && frame) {
        this.follow(this.panels.get(this.leader) as Panel, panel);
      }
      this.redraw();
    });
    viewer.addHandler("viewport-change", () => this.moved(key));
    viewer.addHandler("update-viewport", () => this.paint(key));
  }

  detach(key: string): void {
    const panel = this.panels.get(key);
    if (panel) {
      this.watcher.unobserve(panel.host);
      panel.viewer.destroy();
      this.panels.delete(key);
      this.dense.delete(key);
    }
    if (this.leader === key) {
      this.leader = this.panels.keys().next().value ?? "";
    }
    this.redraw();
  }

  destroy(): void {
    for (const key of [...this.panels.keys()]) {
      this.detach(key);
    }
    this.watcher.disconnect();
    cancelAnimationFrame(this.pending);
    clearTimeout(this.settle);
  }

  /** Upload an item's places, once. */
  async setMarks(id: string, marks: Marks): Promise<void> {
    const layer = await this.ready;
    if (!layer.has(id)) {
      layer.add(id, marks);
      if (this.untouched) {
        this.home(true);
      } else {
        this.moved(this.leader);
      }
    }
  }

  setScenes(scenes: readonly Scene[]): void {
    this.scenes = scenes;
    this.redraw();
  }

  setLinked(linked: boolean): void {
    this.linked = linked;
  }

  get keys(): string[] {
    return [...this.panels.keys()];
  }

  get leading(): string {
    return this.leader;
  }

  /** Where a panel lies and what it shows now, in the middle of an animation too; null before its image is open. */
  frame(key: string): Frame | null {
    const panel = this.panels.get(key);
    if (!panel?.viewer.isOpen()) {
      return null;
    }
    const box = this.boxOf(panel);
    const { viewport } = panel.viewer;
    const centre = viewport.getCenter(true);
    const width = panel.item.width_px;
    const scale = (box.width * viewport.getZoom(true)) / width;
    const turn = turnOf(panel.item);
    const [x, y] = turned([centre.x * width * scale, centre.y * width * scale], turn);
    return { box, clip: box, scale, offset: [box.x + box.width / 2 - x, box.y + box.height / 2 - y], turn };
  }

  /** Key of the panel under a point of the stage. */
  at(x: number, y: number): string | null {
    for (const [key, panel] of this.panels) {
      if (holds(this.boxOf(panel), x, y)) {
        return key;
      }
    }
    return null;
  }

  view(): View | null {
    const panel = this.panels.get(this.leader);
    if (!panel?.viewer.isOpen()) {
      return null;
    }
    const { viewport } = panel.viewer;
    const centre = viewport.getCenter(true);
    const width = panel.item.width_px;
    return { x: centre.x * width, y: centre.y * width, scale: (this.boxOf(panel).width * viewport.getZoom(true)) / width };
  }

  /** What is shown of an item: its panel need not lead, and need not be there. */
  viewOf(item: ItemDetail): View | null {
    const leader = this.panels.get(this.leader)?.item;
    const view = this.view();
    return view && leader && together(leader, item) ? carryView(view, leader, item, this.middle) : null;
  }

  /** Show a view of an item, in all linked panels. */
  show(view: View, item: ItemDetail): void {
    const panel = this.panels.get(this.leader);
    this.touch();
    this.pendingView = panel?.viewer.isOpen() ? null : [view, item];
    if (panel?.viewer.isOpen()) {
      this.aim(panel, carryView(view, item, panel.item, this.middle), true);
      panel.viewer.viewport.applyConstraints(true);
      this.redraw();
    }
  }

  /** Show where the observations are; a slide without any is shown whole. */
  home(immediately = false): void {
    this.untouched = true;
    const panel = this.panels.get(this.leader);
    if (!panel?.viewer.isOpen()) {
      return;
    }
    const view = this.whole(panel);
    if (view) {
      this.aim(panel, view, immediately);
    } else {
      panel.viewer.viewport.goHome(immediately);
    }
  }

  /** The view of a panel that shows its observations, and those of its stack in other panels; null without any. */
  private whole(panel: Panel): View | null {
    const shown = [...this.panels.values()].flatMap((other) => {
      const placement = together(panel.item, other.item) ? this.layer?.placement(other.item.id) : null;
      return placement?.n ? [{ item: other.item, extent: placement.extent }] : [];
    });
    return homeView(panel.item, shown, this.boxOf(panel));
  }

  /** Bring a panel to a view. */
  private aim(panel: Panel, view: View, immediately: boolean): void {
    const { viewport } = panel.viewer;
    const width = panel.item.width_px;
    viewport.zoomTo((view.scale * width) / this.boxOf(panel).width, undefined, immediately);
    viewport.panTo(new OpenSeadragon.Point(view.x / width, view.y / width), immediately);
  }

  private touch(): void {
    this.untouched = false;
  }

  /** True while the whole slide is shown because nobody asked for a part of it. */
  get atHome(): boolean {
    return this.untouched;
  }

  zoomBy(factor: number): void {
    const viewport = this.panels.get(this.leader)?.viewer.viewport;
    this.touch();
    viewport?.zoomBy(factor);
    viewport?.applyConstraints();
  }

  /** Pan by CSS px. */
  panBy(x: number, y: number): void {
    const viewport = this.panels.get(this.leader)?.viewer.viewport;
    this.touch();
    viewport?.panBy(viewport.deltaPointsFromPixels(new OpenSeadragon.Point(x, y)));
    viewport?.applyConstraints();
  }

  /** Let the mouse pan and zoom, or leave it to a drawing tool. */
  setNavigation(on: boolean): void {
    for (const { viewer } of this.panels.values()) {
      (viewer as unknown as { panHorizontal: boolean; panVertical: boolean }).panHorizontal = on;
      (viewer as unknown as { panVertical: boolean }).panVertical = on;
    }
  }

  /** The observations of all panels at `ratio` device px per CSS px, on a canvas of its own. */
  snapshot(ratio: number): HTMLCanvasElement {
    const copy = document.createElement("canvas");
    if (!this.layer) {
      return copy;
    }
    this.layer.resize(this.root.clientWidth, this.root.clientHeight, ratio);
    for (const key of this.panels.keys()) {
      this.drawPanel(key, ratio, false);
    }
    copy.width = this.layer.canvas.width;
    copy.height = this.layer.canvas.height;
    copy.getContext("2d")?.drawImage(this.layer.canvas, 0, 0);
    this.redraw();
    return copy;
  }

  /** Draw all panels' observations in the next frame. */
  redraw(): void {
    for (const panel of this.panels.values()) {
      panel.drawn = "";
      panel.box = null;
    }
    if (!this.pending) {
      this.pending = requestAnimationFrame(() => {
        this.pending = 0;
        for (const key of this.panels.keys()) {
          this.paint(key);
        }
        this.onDrawn();
      });
    }
  }

  private moved(key: string): void {
    const now = performance.now();
    if (key !== this.leader) {
      return;
    }
    this.lastMove = now;
    clearTimeout(this.settle);
    this.settle = window.setTimeout(() => this.redraw(), SETTLE_MS + 10);
    const frame = this.frame(key);
    const panel = this.panels.get(key);
    if (!frame || !panel) {
      return;
    }
    if (this.linked) {
      for (const [other, follower] of this.panels) {
        if (other !== key && follower.viewer.isOpen()) {
          this.follow(panel, follower);
        }
      }
    }
    this.onView(key, frame);
  }

  /** Give a follower the leader's view: the same place of a stack, or middle on middle. */
  private follow(leader: Panel, follower: Panel): void {
    const view = this.view();
    if (view) {
      this.aim(follower, carryView(view, leader.item, follower.item, this.middle), true);
    }
  }

  /** Middle of an item's observations, or of its slide: all that two items without a common place share. */
  private readonly middle = (item: ItemDetail): Point => this.layer?.placement(item.id)?.origin ?? [item.width_px / 2, item.height_px / 2];

  private paint(key: string): void {
    const frame = this.frame(key);
    const panel = this.panels.get(key);
    if (!frame || !panel || !this.layer) {
      return;
    }
    const ratio = window.devicePixelRatio || 1;
    if (this.layer.resize(this.root.clientWidth, this.root.clientHeight, ratio)) {
      this.redraw();
    }
    const moving = performance.now() - this.lastMove < SETTLE_MS;
    const now = `${frame.scale} ${frame.offset} ${frame.box.width} ${frame.box.height} ${moving}`;
    if (now === panel.drawn) {
      return; // only tiles have come in: the observations stand as they are
    }
    panel.drawn = now;
    this.drawPanel(key, ratio, moving);
  }

  private drawPanel(key: string, ratio: number, moving: boolean): void {
    const frame = this.frame(key);
    if (!frame || !this.layer) {
      return;
    }
    this.layer.clear(frame.box, ratio);
    let shapes = true;
    for (const scene of this.scenes) {
      if (scene.panel === key) {
        const clip: Box = {
          ...frame.box,
          x: frame.box.x + scene.from * frame.box.width,
          width: (scene.to - scene.from) * frame.box.width,
        };
        shapes = this.layer.draw(scene.set, scene.channel, scene.look, { ...frame, clip }, ratio, moving) && shapes;
      }
    }
    if (!moving) {
      this.dense[shapes ? "delete" : "add"](key);
    }
  }

  private boxOf(panel: Panel): Box {
    if (panel.box) {
      return panel.box;
    }
    const outer = this.root.getBoundingClientRect();
    const inner = panel.host.getBoundingClientRect();
    panel.box = { x: inner.left - outer.left, y: inner.top - outer.top, width: inner.width, height: inner.height };
    return panel.box;
  }
}
