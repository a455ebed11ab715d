/**
 * The observation layer: one WebGL2 canvas over all panels of the stage.
 *
 * Centres are uploaded once per item; a gene switch uploads one float per observation. Each panel is one draw call
 * (multi-draw where the browser has it) into its own scissor box, so several panels share one context and its buffers.
 * Where a view holds more observations than can be drawn as shapes in time, a grid of their means is drawn instead.
 * The drawing buffer is kept, so that a panel can be drawn in the very frame in which its tissue moves.
 */

import { byteTexture, compile, compiled, floatTexture, inSoftware, linked, type Program } from "./gl";
import { cornersOf, toStage, type Box, type Frame } from "./plane";
import { Raster, type RasterLevel } from "./raster";
import * as glsl from "./shaders";
import type { Placement, Rect, Runs } from "./spatial";
import type { Span } from "./values";

/** How one panel looks: what is coloured by what. */
export interface Look {
  mode: keyof typeof glsl.MODE;
  /** RGBA entries: a colour map, or the palette of a category. */
  colours: Uint8Array;
  span: Span;
  /** Reach of the logarithm, 0 for linear. */
  log: number;
  opacity: number;
  /** Draw pies instead of plain marks where they are large enough to read. */
  pies: boolean;
}

/** An item's observations as they are drawn; sizes in level-0 px. */
export interface Marks {
  placement: Placement;
  diameter: number;
  square: boolean;
  /** Distance of neighbours in a regular lattice, or null. */
  pitch: number | null;
}

interface Channel {
  values: Float32Array;
  buffer: WebGLBuffer;
  codes: boolean;
  /** Levels of the grid of means, made when first drawn. */
  grid: WebGLTexture[] | null;
}

interface Uploaded {
  marks: Marks;
  raster: Raster | null;
  xy: WebGLBuffer;
  flags: Uint8Array;
  chosen: WebGLBuffer;
  chosenGrid: WebGLTexture[] | null;
  anyChosen: boolean;
  channels: Map<string, Channel>;
  shares: { texture: WebGLTexture; colours: WebGLTexture; parts: number } | null;
}

type MultiDraw = {
  multiDrawArraysWEBGL(mode: number, first: Int32Array, a: number, count: Int32Array, b: number, n: number): void;
};

/** Opacity of what is outside a selection. */
const DIM = 0.22;
/** Pies smaller than this, device px, show their largest part only. */
const PIE_FROM = 7;
const SHARES_WIDTH = 2048;
/** Shapes per panel: a GPU draws millions a frame, a CPU about one a microsecond. */
const SHAPES = { hardware: 3_000_000, software: 60_000, softwareMoving: 12_000 };

export class ObservationLayer {
  private readonly multi: MultiDraw | null;
  private readonly largestPoint: number;
  private readonly software: boolean;
  private readonly programs = new Map<string, Program>();
  private readonly sets = new Map<string, Uploaded>();
  private readonly textures = new Map<Uint8Array, WebGLTexture>();

  private constructor(
    readonly canvas: HTMLCanvasElement,
    private readonly gl: WebGL2RenderingContext,
  ) {
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    this.multi = gl.getExtension("WEBGL_multi_draw") as MultiDraw | null;
    this.largestPoint = (gl.getParameter(gl.ALIASED_POINT_SIZE_RANGE) as Float32Array)[1] ?? 64;
    this.software = inSoftware(gl);
  }

  /** Set a layer up on a canvas; the page goes on while the driver compiles. */
  static async create(canvas: HTMLCanvasElement): Promise<ObservationLayer> {
    const gl = canvas.getContext("webgl2", { alpha: true, antialias: false, depth: false, preserveDrawingBuffer: true });
    if (!gl) {
      throw new Error("WebGL2 is not available");
    }
    const [points, grid] = [compile(gl, glsl.POINT_VERTEX, glsl.POINT_FRAGMENT), compile(gl, glsl.GRID_VERTEX, glsl.GRID_FRAGMENT)];
    await Promise.all([compiled(gl, points), compiled(gl, grid)]);
    const layer = new ObservationLayer(canvas, gl);
    layer.programs.set("points", linked(gl, points));
    layer.programs.set("grid", linked(gl, grid));
    return layer;
  }

  has(id: string): boolean {
    return this.sets.has(id);
  }

  placement(id: string): Placement | null {
    return this.sets.get(id)?.marks.placement ?? null;
  }

  /** Upload an item's centres; values and selection start empty. */
  add(id: string, marks: Marks): void {
    const flags = new Uint8Array(marks.placement.n).fill(255);
    this.sets.set(id, {
      marks,
      raster: null,
      xy: this.buffer(marks.placement.xy),
      flags,
      chosen: this.buffer(flags),
      chosenGrid: null,
      anyChosen: false,
      channels: new Map(),
      shares: null,
    });
  }

  /** Give a channel of an item its values, by observation; the only upload of a gene switch. */
  setValues(id: string, name: string, given: ArrayLike<number>, codes = false): void {
    const set = this.sets.get(id);
    if (!set) {
      return;
    }
    const known = set.channels.get(name);
    const values = set.marks.placement.arrange(given, glsl.UNKNOWN, known?.values);
    if (known) {
      this.gl.bindBuffer(this.gl.ARRAY_BUFFER, known.buffer);
      this.gl.bufferSubData(this.gl.ARRAY_BUFFER, 0, values);
      this.drop(known.grid);
      Object.assign(known, { codes, grid: null });
    } else {
      set.channels.set(name, { values, buffer: this.buffer(values, this.gl.DYNAMIC_DRAW), codes, grid: null });
    }
  }

  /** Choose observations; null chooses none, and then nothing is dimmed. */
  setChosen(id: string, observations: Uint32Array | null): void {
    const set = this.sets.get(id);
    if (!set) {
      return;
    }
    const { place } = set.marks.placement;
    set.flags.fill(observations ? 0 : 255);
    for (const i of observations ?? []) {
      set.flags[place[i] as number] = 255;
    }
    set.anyChosen = observations !== null;
    this.drop(set.chosenGrid);
    set.chosenGrid = null;
    this.gl.bindBuffer(this.gl.ARRAY_BUFFER, set.chosen);
    this.gl.bufferSubData(this.gl.ARRAY_BUFFER, 0, set.flags);
  }

  /** Give an item the shares of its pies, row-major (n, parts) in [0, 1], and the parts' colours (RGBA). */
  setShares(id: string, shares: Float32Array, parts: number, colours: Uint8Array): void {
    const set = this.sets.get(id);
    const most = SHARES_WIDTH * (this.gl.getParameter(this.gl.MAX_TEXTURE_SIZE) as number);
    if (!set || shares.length > most) {
      return;
    }
    const bytes = new Uint8Array(shares.length);
    const { order, n } = set.marks.placement;
    for (let k = 0; k < n; k++) {
      const from = (order[k] as number) * parts;
      for (let j = 0; j < parts; j++) {
        bytes[k * parts + j] = Math.round(255 * (shares[from + j] as number));
      }
    }
    set.shares = {
      texture: byteTexture(this.gl, bytes, SHARES_WIDTH, 1),
      colours: byteTexture(this.gl, colours, 256, 4),
      parts,
    };
  }

  /** Size the canvas to `width` x `height` CSS px at `ratio` device px each; tells whether that wiped it. */
  resize(width: number, height: number, ratio: number): boolean {
    const [w, h] = [Math.max(1, Math.round(width * ratio)), Math.max(1, Math.round(height * ratio))];
    const changed = this.canvas.width !== w || this.canvas.height !== h;
    if (changed) {
      this.canvas.width = w;
      this.canvas.height = h;
    }
    return changed;
  }

  /** Wipe one panel's box. */
  clear(box: Box, ratio: number): void {
    const { gl } = this;
    const at = this.device(box, ratio);
    gl.enable(gl.SCISSOR_TEST);
    gl.scissor(at.left, at.bottom, at.width, at.height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
  }

  /** Draw one panel; tells whether observations were drawn as shapes. While `moving`, speed counts more. */
  draw(id: string, name: string, look: Look, frame: Frame, ratio: number, moving: boolean): boolean {
    const set = this.sets.get(id);
    const channel = set?.channels.get(name);
    if (!set || !channel || frame.clip.width <= 0 || frame.clip.height <= 0) {
      return true;
    }
    const runs = set.marks.placement.runs(visible(frame, set.marks.diameter));
    const most = this.software ? (moving ? SHAPES.softwareMoving : SHAPES.software) : SHAPES.hardware;
    if (runs.total > most) {
      this.drawGrid(set, channel, look, frame, ratio);
      return false;
    }
    const diameter = set.marks.diameter * frame.scale * ratio;
    const pies = look.pies && set.shares && diameter >= PIE_FROM ? set.shares : null;
    const [cos, sin] = frame.turn;
    // A turned square reaches farther.
    const side = diameter * (set.marks.square ? Math.abs(cos) + Math.abs(sin) : 1) + 2;
    const quads = side > this.largestPoint;
    const program = this.shapes(quads, pies !== null);
    this.place(program, set, frame, ratio, quads ? 0 : Math.ceil(side / 2 + 1));
    this.dress(program, set, look);
    this.gl.uniform1f(program.uniforms.u_diameter ?? null, diameter);
    this.gl.uniform1f(program.uniforms.u_side ?? null, side);
    this.gl.uniform2f(program.uniforms.u_turn ?? null, cos, sin);
    this.gl.uniform1i(program.uniforms.u_square ?? null, set.marks.square ? 1 : 0);
    if (pies) {
      this.gl.uniform1i(program.uniforms.u_parts ?? null, pies.parts);
      this.sample(program, 1, "u_shares", pies.texture);
      this.sample(program, 2, "u_wedges", pies.colours);
    }
    this.bind(set, channel.buffer);
    if (quads) {
      this.drawQuads(program, set, channel.buffer, runs);
    } else {
      this.drawPoints(runs);
    }
    return true;
  }

  private shapes(quads: boolean, pies: boolean): Program {
    const name = `${quads ? "quads" : "points"}${pies ? " of pies" : ""}`;
    let program = this.programs.get(name);
    if (!program) {
      const vertex = quads ? glsl.QUAD_VERTEX : glsl.POINT_VERTEX;
      const fragment = quads ? (pies ? glsl.QUAD_PIES : glsl.QUAD_FRAGMENT) : pies ? glsl.POINT_PIES : glsl.POINT_FRAGMENT;
      program = linked(this.gl, compile(this.gl, vertex, fragment));
      this.programs.set(name, program);
    }
    return program;
  }

  private drawGrid(set: Uploaded, channel: Channel, look: Look, frame: Frame, ratio: number): void {
    const { gl } = this;
    set.raster ??= new Raster(set.marks.placement, set.marks.pitch);
    const { raster } = set;
    const program = this.programs.get("grid") as Program;
    const textures = (values: ArrayLike<number>, codes: boolean) =>
      raster.fill(values, codes).map((level, k) => floatTexture(gl, level, (raster.levels[k] as RasterLevel).columns));
    channel.grid ??= textures(channel.values, channel.codes);
    if (set.anyChosen) {
      set.chosenGrid ??= textures(Float32Array.from(set.flags, (flag) => (flag ? 1 : 0)), false);
    }
    const at = raster.levelFor(1 / (frame.scale * ratio));
    const { columns, rows, cell } = raster.levels[at] as RasterLevel;
    this.place(program, set, frame, ratio, 0);
    this.dress(program, set, look);
    gl.uniform4f(program.uniforms.u_grid ?? null, raster.corner[0], raster.corner[1], columns * cell, rows * cell);
    gl.uniform2f(program.uniforms.u_cells ?? null, columns, rows);
    const values = channel.grid[at] as WebGLTexture;
    this.sample(program, 1, "u_values", values);
    this.sample(program, 2, "u_chosen", set.chosenGrid?.[at] ?? values);
    gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
  }

  /** Take up a program and tell it where the plane lies; `margin` device px around the panel are drawn too. */
  private place(program: Program, set: Uploaded, frame: Frame, ratio: number, margin: number): void {
    const { gl } = this;
    const { uniforms } = program;
    gl.useProgram(program.program);
    const view = this.device(frame.box, ratio);
    const clip = this.device(frame.clip, ratio);
    // Points are dropped when their centre leaves the viewport: it reaches farther than what the scissor shows.
    const [width, height] = [view.width + 2 * margin, view.height + 2 * margin];
    gl.viewport(view.left - margin, view.bottom - margin, width, height);
    gl.scissor(clip.left, clip.bottom, clip.width, clip.height);
    const at = toStage(frame, set.marks.placement.origin);
    const x = at[0] * ratio - view.left + margin;
    const y = at[1] * ratio - view.top + margin;
    const [cos, sin] = frame.turn;
    const [right, up] = [(2 * frame.scale * ratio) / width, (-2 * frame.scale * ratio) / height];
    gl.uniform4f(uniforms.u_matrix ?? null, right * cos, up * sin, -right * sin, up * cos);
    gl.uniform2f(uniforms.u_offset ?? null, (2 * x) / width - 1, 1 - (2 * y) / height);
    gl.uniform2f(uniforms.u_pixel ?? null, 2 / width, 2 / height);
  }

  private dress(program: Program, set: Uploaded, look: Look): void {
    const { gl } = this;
    const { uniforms } = program;
    gl.uniform1i(uniforms.u_mode ?? null, glsl.MODE[look.mode]);
    gl.uniform2f(uniforms.u_range ?? null, look.span.low, look.span.high);
    gl.uniform1f(uniforms.u_log ?? null, look.log);
    gl.uniform1f(uniforms.u_opacity ?? null, look.opacity);
    gl.uniform1f(uniforms.u_dim ?? null, set.anyChosen ? DIM : 1);
    this.sample(program, 0, "u_colours", this.colours(look.colours));
  }

  private sample(program: Program, unit: number, name: string, texture: WebGLTexture): void {
    this.gl.activeTexture(this.gl.TEXTURE0 + unit);
    this.gl.bindTexture(this.gl.TEXTURE_2D, texture);
    this.gl.uniform1i(program.uniforms[name] ?? null, unit);
  }

  private device(box: Box, ratio: number): { left: number; top: number; bottom: number; width: number; height: number } {
    const left = Math.round(box.x * ratio);
    const top = Math.round(box.y * ratio);
    const width = Math.round((box.x + box.width) * ratio) - left;
    const height = Math.round((box.y + box.height) * ratio) - top;
    return { left, top, width, height, bottom: this.canvas.height - top - height };
  }

  private bind(set: Uploaded, values: WebGLBuffer, first = 0, divisor = 0): void {
    const { gl } = this;
    const attribute = (at: number, buffer: WebGLBuffer, size: number, type: number, bytes: number) => {
      gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
      gl.enableVertexAttribArray(at);
      gl.vertexAttribPointer(at, size, type, type === gl.UNSIGNED_BYTE, 0, first * bytes);
      gl.vertexAttribDivisor(at, divisor);
    };
    attribute(0, set.xy, 2, gl.FLOAT, 8);
    attribute(1, values, 1, gl.FLOAT, 4);
    attribute(2, set.chosen, 1, gl.UNSIGNED_BYTE, 1);
  }

  private drawPoints(runs: Runs): void {
    const { gl } = this;
    if (this.multi && runs.length > 1) {
      this.multi.multiDrawArraysWEBGL(gl.POINTS, runs.first, 0, runs.count, 0, runs.length);
      return;
    }
    for (let r = 0; r < runs.length; r++) {
      gl.drawArrays(gl.POINTS, runs.first[r] as number, runs.count[r] as number);
    }
  }

  private drawQuads(program: Program, set: Uploaded, values: WebGLBuffer, runs: Runs): void {
    for (let r = 0; r < runs.length; r++) {
      this.bind(set, values, runs.first[r] as number, 1);
      this.gl.uniform1i(program.uniforms.u_first ?? null, runs.first[r] as number);
      this.gl.drawArraysInstanced(this.gl.TRIANGLE_STRIP, 0, 4, runs.count[r] as number);
    }
  }

  private colours(colours: Uint8Array): WebGLTexture {
    let texture = this.textures.get(colours);
    if (!texture) {
      if (this.textures.size > 64) {
        this.drop([...this.textures.values()]);
        this.textures.clear();
      }
      texture = byteTexture(this.gl, colours, 256, 4);
      this.textures.set(colours, texture);
    }
    return texture;
  }

  private drop(textures: WebGLTexture[] | null): void {
    for (const texture of textures ?? []) {
      this.gl.deleteTexture(texture);
    }
  }

  private buffer(data: Float32Array | Uint8Array, usage: number = this.gl.STATIC_DRAW): WebGLBuffer {
    const buffer = this.gl.createBuffer();
    this.gl.bindBuffer(this.gl.ARRAY_BUFFER, buffer);
    this.gl.bufferData(this.gl.ARRAY_BUFFER, data, usage);
    return buffer;
  }
}

/** The part of the plane that a frame shows, in level-0 px, with room for marks whose centres lie just outside. */
export function visible(frame: Frame, room: number): Rect {
  const corners = cornersOf(frame, frame.clip);
  const [xs, ys] = [corners.map(([x]) => x), corners.map(([, y]) => y)];
  return { x0: Math.min(...xs) - room, y0: Math.min(...ys) - room, x1: Math.max(...xs) + room, y1: Math.max(...ys) + room };
}
