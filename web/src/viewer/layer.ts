/**
 * The observation layer: one WebGL2 canvas over all panels of the stage.
 *
 * Centres are uploaded once per item; a gene switch uploads one float per observation. Each panel is one draw call
 * (multi-draw where the browser has it) into its own scissor box, so several panels share one context and its buffers.
 * The drawing buffer is kept, so that a panel can be drawn in the very frame in which its tissue moves.
 */

import { byteTexture, compile, compiled, linked, type Program } from "./gl";
import { MODE, POINT_FRAGMENT, POINT_VERTEX, QUAD_FRAGMENT, QUAD_VERTEX, UNKNOWN } from "./shaders";
import type { Placement, Rect, Runs } from "./spatial";
import type { Box, Frame } from "./plane";
import type { Span } from "./values";

/** How one panel looks: what is coloured by what. */
export interface Look {
  mode: keyof typeof MODE;
  /** RGBA entries: a colour map, or the palette of a category. */
  colours: Uint8Array;
  span: Span;
  /** Reach of the logarithm, 0 for linear. */
  log: number;
  opacity: number;
  /** Draw pies instead of plain marks where they are large enough to read. */
  pies: boolean;
}

export interface Marks {
  placement: Placement;
  diameter: number;
  square: boolean;
}

interface Uploaded {
  marks: Marks;
  xy: WebGLBuffer;
  chosen: WebGLBuffer;
  anyChosen: boolean;
  values: Map<string, WebGLBuffer>;
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

export class ObservationLayer {
  /** Only marks too large for points need it. */
  private quads: Program | null = null;
  private readonly multi: MultiDraw | null;
  private readonly largestPoint: number;
  private readonly sets = new Map<string, Uploaded>();
  private readonly textures = new Map<Uint8Array, WebGLTexture>();

  private constructor(
    readonly canvas: HTMLCanvasElement,
    private readonly gl: WebGL2RenderingContext,
    private readonly points: Program,
  ) {
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    this.multi = gl.getExtension("WEBGL_multi_draw") as MultiDraw | null;
    this.largestPoint = (gl.getParameter(gl.ALIASED_POINT_SIZE_RANGE) as Float32Array)[1] ?? 64;
  }

  /** Set a layer up on a canvas; the page goes on while the driver compiles. */
  static async create(canvas: HTMLCanvasElement): Promise<ObservationLayer> {
    const gl = canvas.getContext("webgl2", { alpha: true, antialias: false, depth: false, preserveDrawingBuffer: true });
    if (!gl) {
      throw new Error("WebGL2 is not available");
    }
    const program = compile(gl, POINT_VERTEX, POINT_FRAGMENT);
    await compiled(gl, program);
    return new ObservationLayer(canvas, gl, linked(gl, program));
  }

  has(id: string): boolean {
    return this.sets.has(id);
  }

  placement(id: string): Placement | null {
    return this.sets.get(id)?.marks.placement ?? null;
  }

  /** Upload an item's centres; values and selection start empty. */
  add(id: string, marks: Marks): void {
    this.remove(id);
    const chosen = new Uint8Array(marks.placement.n).fill(255);
    this.sets.set(id, {
      marks,
      xy: this.buffer(marks.placement.xy),
      chosen: this.buffer(chosen),
      anyChosen: false,
      values: new Map(),
      shares: null,
    });
  }

  remove(id: string): void {
    const set = this.sets.get(id);
    if (set) {
      for (const buffer of [set.xy, set.chosen, ...set.values.values()]) {
        this.gl.deleteBuffer(buffer);
      }
      this.sets.delete(id);
    }
  }

  /** Give a channel of an item its values, by observation; the only upload of a gene switch. */
  setValues(id: string, channel: string, values: ArrayLike<number>): void {
    const set = this.sets.get(id);
    if (!set) {
      return;
    }
    const arranged = set.marks.placement.arrange(values, UNKNOWN);
    const buffer = set.values.get(channel);
    if (buffer) {
      this.gl.bindBuffer(this.gl.ARRAY_BUFFER, buffer);
      this.gl.bufferSubData(this.gl.ARRAY_BUFFER, 0, arranged);
    } else {
      set.values.set(channel, this.buffer(arranged, this.gl.DYNAMIC_DRAW));
    }
  }

  /** Choose observations; null chooses none, and then nothing is dimmed. */
  setChosen(id: string, observations: Uint32Array | null): void {
    const set = this.sets.get(id);
    if (!set) {
      return;
    }
    const { place, n } = set.marks.placement;
    const flags = new Uint8Array(n).fill(observations ? 0 : 255);
    for (const i of observations ?? []) {
      flags[place[i] as number] = 255;
    }
    set.anyChosen = observations !== null;
    this.gl.bindBuffer(this.gl.ARRAY_BUFFER, set.chosen);
    this.gl.bufferSubData(this.gl.ARRAY_BUFFER, 0, flags);
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

  /**
   * Draw one panel and return how many observations that took.
   *
   * `thin` is the side, in device px, of the square that one observation may stand for.
   */
  draw(id: string, channel: string, look: Look, frame: Frame, ratio: number, thin: number): number {
    const set = this.sets.get(id);
    const values = set?.values.get(channel);
    if (!set || !values || frame.clip.width <= 0 || frame.clip.height <= 0) {
      return 0;
    }
    const scale = frame.scale * ratio;
    const runs = set.marks.placement.runs(visible(frame, set.marks.diameter), thin / scale);
    // A mark that stands for a square of cells is drawn as large as that square, or a thinned view would be full of gaps.
    const diameter = Math.max(set.marks.diameter * scale, runs.thinned ? thin : 0);
    const asQuads = diameter + 2 > this.largestPoint;
    const program = asQuads ? (this.quads ??= linked(this.gl, compile(this.gl, QUAD_VERTEX, QUAD_FRAGMENT))) : this.points;
    this.gl.useProgram(program.program);
    const margin = asQuads ? 0 : Math.ceil(diameter / 2 + 2);
    this.place(program, set, frame, ratio, margin);
    this.dress(program, set, look, diameter);
    this.bind(set, values);
    if (asQuads) {
      this.drawQuads(program, set, values, runs);
    } else {
      this.drawPoints(runs);
    }
    return runs.total;
  }

  private place(program: Program, set: Uploaded, frame: Frame, ratio: number, margin: number): void {
    const { gl } = this;
    const view = this.device(frame.box, ratio);
    const clip = this.device(frame.clip, ratio);
    // Points are dropped when their centre leaves the viewport: it reaches `margin` farther than what is shown.
    const [width, height] = [view.width + 2 * margin, view.height + 2 * margin];
    gl.viewport(view.left - margin, view.bottom - margin, width, height);
    gl.scissor(clip.left, clip.bottom, clip.width, clip.height);
    const { uniforms } = program;
    const { origin } = set.marks.placement;
    const x = (frame.offset[0] + frame.scale * origin[0]) * ratio - view.left + margin;
    const y = (frame.offset[1] + frame.scale * origin[1]) * ratio - view.top + margin;
    const scale = frame.scale * ratio;
    gl.uniform4f(uniforms.u_matrix ?? null, (2 * scale) / width, 0, 0, (-2 * scale) / height);
    gl.uniform2f(uniforms.u_offset ?? null, (2 * x) / width - 1, 1 - (2 * y) / height);
    gl.uniform2f(uniforms.u_pixel ?? null, 2 / width, 2 / height);
  }

  private device(box: Box, ratio: number): { left: number; top: number; bottom: number; width: number; height: number } {
    const left = Math.round(box.x * ratio);
    const top = Math.round(box.y * ratio);
    const width = Math.round((box.x + box.width) * ratio) - left;
    const height = Math.round((box.y + box.height) * ratio) - top;
    return { left, top, width, height, bottom: this.canvas.height - top - height };
  }

  private dress(program: Program, set: Uploaded, look: Look, diameter: number): void {
    const { gl } = this;
    const { uniforms } = program;
    const pies = look.pies && set.shares && diameter >= PIE_FROM ? set.shares : null;
    gl.uniform1f(uniforms.u_diameter ?? null, diameter);
    gl.uniform1i(uniforms.u_mode ?? null, MODE[look.mode]);
    gl.uniform2f(uniforms.u_range ?? null, look.span.low, look.span.high);
    gl.uniform1f(uniforms.u_log ?? null, look.log);
    gl.uniform1f(uniforms.u_opacity ?? null, look.opacity);
    gl.uniform1f(uniforms.u_dim ?? null, set.anyChosen ? DIM : 1);
    gl.uniform1i(uniforms.u_square ?? null, set.marks.square ? 1 : 0);
    gl.uniform1i(uniforms.u_parts ?? null, pies?.parts ?? 0);
    const colours = this.texture(look.colours);
    for (const [unit, name, texture] of [
      [0, "u_colours", colours],
      [1, "u_shares", pies?.texture ?? colours],
      [2, "u_wedges", pies?.colours ?? colours],
    ] as const) {
      gl.activeTexture(gl.TEXTURE0 + unit);
      gl.bindTexture(gl.TEXTURE_2D, texture);
      gl.uniform1i(uniforms[name] ?? null, unit);
    }
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

  private texture(colours: Uint8Array): WebGLTexture {
    let texture = this.textures.get(colours);
    if (!texture) {
      if (this.textures.size > 64) {
        this.textures.forEach((old) => this.gl.deleteTexture(old));
        this.textures.clear();
      }
      texture = byteTexture(this.gl, colours, 256, 4);
      this.textures.set(colours, texture);
    }
    return texture;
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
  const { clip, scale, offset } = frame;
  return {
    x0: (clip.x - offset[0]) / scale - room,
    y0: (clip.y - offset[1]) / scale - room,
    x1: (clip.x + clip.width - offset[0]) / scale + room,
    y1: (clip.y + clip.height - offset[1]) / scale + room,
  };
}
