/** Small helpers over WebGL2: programs with their uniforms, and textures of bytes. */

export interface Program {
  program: WebGLProgram;
  uniforms: Record<string, WebGLUniformLocation | null>;
}

/** Hand two shaders to the driver; nothing waits for it here, because software drivers take a second. */
export function compile(gl: WebGL2RenderingContext, vertex: string, fragment: string): WebGLProgram {
  const program = gl.createProgram();
  for (const [kind, source] of [
    [gl.VERTEX_SHADER, vertex],
    [gl.FRAGMENT_SHADER, fragment],
  ] as const) {
    const shader = gl.createShader(kind) as WebGLShader;
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  return program;
}

/** Wait until the driver is done with a program, without blocking the page where the browser can tell. */
export async function compiled(gl: WebGL2RenderingContext, program: WebGLProgram): Promise<void> {
  const parallel = gl.getExtension("KHR_parallel_shader_compile") as { COMPLETION_STATUS_KHR: number } | null;
  while (parallel && !gl.isContextLost() && !gl.getProgramParameter(program, parallel.COMPLETION_STATUS_KHR)) {
    await new Promise((resolve) => setTimeout(resolve, 15));
  }
}

/** Find a program's uniforms; throws with the driver's message, because a shader that fails must not fail silently. */
export function linked(gl: WebGL2RenderingContext, program: WebGLProgram): Program {
  if (!gl.getProgramParameter(program, gl.LINK_STATUS) && !gl.isContextLost()) {
    const logs = gl.getAttachedShaders(program)?.map((shader) => gl.getShaderInfoLog(shader)) ?? [];
    throw new Error(`WebGL program: ${[gl.getProgramInfoLog(program), ...logs].join(" ")}`);
  }
  const uniforms: Program["uniforms"] = {};
  const count = (gl.getProgramParameter(program, gl.ACTIVE_UNIFORMS) as number | null) ?? 0;
  for (let k = 0; k < count; k++) {
    const name = gl.getActiveUniform(program, k)?.name ?? "";
    uniforms[name] = gl.getUniformLocation(program, name);
  }
  return { program, uniforms };
}

/** A texture without filtering from bytes, one channel (`R8`) or four (`RGBA8`); padded to whole rows. */
export function byteTexture(gl: WebGL2RenderingContext, data: Uint8Array, width: number, channels: 1 | 4): WebGLTexture {
  const height = Math.ceil(data.length / channels / width);
  let whole = data;
  if (data.length < width * height * channels) {
    whole = new Uint8Array(width * height * channels);
    whole.set(data);
  }
  const texture = unfiltered(gl);
  gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
  const [inner, outer] = channels === 1 ? [gl.R8, gl.RED] : [gl.RGBA8, gl.RGBA];
  gl.texImage2D(gl.TEXTURE_2D, 0, inner, width, height, 0, outer, gl.UNSIGNED_BYTE, whole);
  return texture;
}

/** A texture of numbers, one a texel. */
export function floatTexture(gl: WebGL2RenderingContext, data: Float32Array, width: number): WebGLTexture {
  const texture = unfiltered(gl);
  gl.texImage2D(gl.TEXTURE_2D, 0, gl.R32F, width, data.length / width, 0, gl.RED, gl.FLOAT, data);
  return texture;
}

function unfiltered(gl: WebGL2RenderingContext): WebGLTexture {
  const texture = gl.createTexture();
  gl.bindTexture(gl.TEXTURE_2D, texture);
  for (const side of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) {
    gl.texParameteri(gl.TEXTURE_2D, side, gl.NEAREST);
  }
  for (const side of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T]) {
    gl.texParameteri(gl.TEXTURE_2D, side, gl.CLAMP_TO_EDGE);
  }
  return texture;
}

/** Tell whether WebGL is drawn by the CPU, where the number of shapes counts more than anything. */
export function inSoftware(gl: WebGL2RenderingContext): boolean {
  const debug = gl.getExtension("WEBGL_debug_renderer_info");
  const name = String(gl.getParameter(debug ? debug.UNMASKED_RENDERER_WEBGL : gl.RENDERER));
  return /swiftshader|llvmpipe|softpipe|software|basic render/i.test(name);
}
