/** GLSL of the observation layer: marks as points or as quads, pies, and the grid of means. */

/** Values at or below this are unknown; NaN itself does not survive every driver's optimiser. */
export const UNKNOWN = -3.4e38;

/** What `u_mode` says a value is: a number on a scale, or the code of a category. */
export const MODE = { value: 0, category: 1 } as const;

const COMMON = `#version 300 es
precision highp float;
precision highp int;
`;

const COLOUR = `
uniform int u_mode;
uniform vec2 u_range;       // low, high
uniform float u_log;        // 0, or the reach of the logarithm
uniform float u_opacity;
uniform float u_dim;        // opacity of what is not selected
uniform sampler2D u_colours;

vec4 colour(float value) {
  if (value <= -3.0e38) return vec4(0.0);
  if (u_mode != 0) {
    int code = int(value);
    return texelFetch(u_colours, ivec2(code & 255, code >> 8), 0);
  }
  float t = clamp((value - u_range.x) / (u_range.y - u_range.x), 0.0, 1.0);
  if (u_log > 0.0) t = log(1.0 + t * u_log) / log(1.0 + u_log);
  return vec4(texelFetch(u_colours, ivec2(int(t * 255.0 + 0.5), 0), 0).rgb, 1.0);
}
`;

const PLACE = `
uniform vec4 u_matrix;      // level-0 px -> clip space: 2 x 2, column by column
uniform vec2 u_offset;      // clip space of the origin
vec4 place(vec2 xy) { return vec4(mat2(u_matrix.xy, u_matrix.zw) * xy + u_offset, 0.0, 1.0); }
`;

const MARK = `
${PLACE}${COLOUR}
layout(location = 0) in vec2 a_xy;
layout(location = 1) in float a_value;
layout(location = 2) in float a_chosen;
uniform float u_diameter;   // device px
uniform float u_side;       // of the square around a mark and its soft edge, device px
flat out vec4 v_colour;
flat out int v_id;
flat out float v_ring;

// Below one device pixel a mark keeps one pixel and pays in opacity, so that density still reads as density.
void mark(int id) {
  vec4 c = colour(a_value);
  c.a *= u_opacity * mix(u_dim, 1.0, a_chosen) * mix(0.6, 1.0, min(1.0, u_diameter));
  v_colour = c;
  v_ring = a_chosen * step(u_dim, 0.99);
  v_id = id;
  gl_Position = c.a == 0.0 ? vec4(2.0, 2.0, 2.0, 1.0) : place(a_xy);
}
`;

export const POINT_VERTEX = `${COMMON}${MARK}
void main() {
  mark(gl_VertexID);
  gl_PointSize = u_diameter <= 2.0 ? max(u_diameter, 1.0) : u_side;
}`;

/** For marks that are larger than the largest point of the driver. */
export const QUAD_VERTEX = `${COMMON}${MARK}
uniform vec2 u_pixel;       // clip space per device pixel
uniform int u_first;        // gl_InstanceID counts from 0 in each run
out vec2 v_corner;
void main() {
  mark(u_first + gl_InstanceID);
  v_corner = vec2(float(gl_VertexID & 1), float(gl_VertexID >> 1)) - 0.5;
  gl_Position.xy += v_corner * vec2(1.0, -1.0) * u_side * u_pixel;
}`;

const WEDGES = `
uniform int u_parts;        // wedges of a pie
uniform sampler2D u_shares; // one texel per observation and wedge, row-major
uniform sampler2D u_wedges; // colours of the wedges

vec3 inner(vec2 p) {
  float angle = fract(0.25 - atan(-p.y, p.x) / 6.283185307);   // clockwise from 12 o'clock
  int width = textureSize(u_shares, 0).x;
  float sum = 0.0;
  int last = 0;
  for (int k = 0; k < u_parts; k++) {
    int at = v_id * u_parts + k;
    float share = texelFetch(u_shares, ivec2(at % width, at / width), 0).r;
    if (share > 0.0) last = k;
    sum += share;
    if (angle < sum) { last = k; break; }
  }
  return texelFetch(u_wedges, ivec2(last & 255, last >> 8), 0).rgb;
}
`;

const PLAIN = "vec3 inner(vec2 p) { return v_colour.rgb; }";

/** Fragment shader of marks; a program of its own for pies keeps the common one short, which software feels. */
function markFragment(corner: string, pies: boolean): string {
  return `${COMMON}
uniform int u_square;
uniform float u_diameter;
uniform float u_side;
uniform vec2 u_turn;        // cosine and sine of the slide's turn
flat in vec4 v_colour;
flat in int v_id;
flat in float v_ring;
${corner === "v_corner" ? "in vec2 v_corner;" : ""}
out vec4 o_colour;
${pies ? WEDGES : PLAIN}
void main() {
  if (u_diameter <= 2.0) {
    o_colour = vec4(v_colour.rgb * v_colour.a, v_colour.a);
    return;
  }
  vec2 p = ${corner} * u_side;                          // device px from the centre
  float radius = u_diameter * 0.5;
  vec2 q = abs(vec2(u_turn.x * p.x + u_turn.y * p.y, u_turn.x * p.y - u_turn.y * p.x));
  float reach = u_square == 1 ? max(q.x, q.y) : length(p);
  float alpha = v_colour.a * clamp(radius + 0.5 - reach, 0.0, 1.0);  // antialiasing, centred on the true edge
  vec3 rgb = inner(p);
  // A thin darker rim keeps a pale mark legible on pale tissue; a selected one has a strong rim.
  if (u_diameter > 7.0) {
    float rim = clamp(reach - radius + (v_ring > 0.5 ? 2.5 : 1.5), 0.0, 1.0);
    rgb = mix(rgb, v_ring > 0.5 ? vec3(0.05) : rgb * 0.55, rim);
  }
  o_colour = vec4(rgb * alpha, alpha);
}`;
}

export const POINT_FRAGMENT = markFragment("(gl_PointCoord - 0.5)", false);
export const POINT_PIES = markFragment("(gl_PointCoord - 0.5)", true);
export const QUAD_FRAGMENT = markFragment("v_corner", false);
export const QUAD_PIES = markFragment("v_corner", true);

export const GRID_VERTEX = `${COMMON}${PLACE}
uniform vec4 u_grid;        // left, top, width, height, level-0 px
uniform vec2 u_cells;       // columns, rows
out vec2 v_cell;
void main() {
  vec2 corner = vec2(float(gl_VertexID & 1), float(gl_VertexID >> 1));
  v_cell = corner * u_cells;
  gl_Position = place(u_grid.xy + corner * u_grid.zw);
}`;

export const GRID_FRAGMENT = `${COMMON}${COLOUR}
uniform highp sampler2D u_values;
uniform highp sampler2D u_chosen;  // share of a cell's observations that are selected
uniform vec2 u_cells;
in vec2 v_cell;
out vec4 o_colour;
void main() {
  ivec2 cell = min(ivec2(v_cell), ivec2(u_cells) - 1);
  vec4 c = colour(texelFetch(u_values, cell, 0).r);
  float alpha = c.a * u_opacity;
  if (u_dim < 0.99) alpha *= mix(u_dim, 1.0, max(0.0, texelFetch(u_chosen, cell, 0).r));
  o_colour = vec4(c.rgb * alpha, alpha);
}`;
