/** GLSL of the observation layer. Points and quads share everything but where they get their corner from. */

/** Values at or below this are unknown; NaN itself does not survive every driver's optimiser. */
export const UNKNOWN = -3.4e38;

/** What `u_mode` says a value is: a number on a scale, or the code of a category. */
export const MODE = { value: 0, category: 1 } as const;

const COMMON = `#version 300 es
precision highp float;
precision highp int;
`;

const VERTEX_BODY = `
uniform vec4 u_matrix;      // level-0 px -> clip space: 2 x 2, column by column
uniform vec2 u_offset;      // clip space of the origin
uniform vec2 u_pixel;       // clip space per device pixel
uniform float u_diameter;   // device px
uniform int u_mode;
uniform vec2 u_range;       // low, high
uniform float u_log;        // 0, or the reach of the logarithm
uniform float u_opacity;
uniform float u_dim;        // opacity of what is not selected
uniform sampler2D u_colours;
flat out vec4 v_colour;
flat out int v_id;
flat out float v_ring;
flat out float v_diameter;

vec4 colour(float value) {
  if (value <= -3.0e38) return vec4(0.5, 0.5, 0.5, 0.0);
  if (u_mode != 0) {
    int code = int(value);
    return texelFetch(u_colours, ivec2(code & 255, code >> 8), 0);
  }
  float t = clamp((value - u_range.x) / (u_range.y - u_range.x), 0.0, 1.0);
  if (u_log > 0.0) t = log(1.0 + t * u_log) / log(1.0 + u_log);
  return vec4(texelFetch(u_colours, ivec2(int(t * 255.0 + 0.5), 0), 0).rgb, 1.0);
}

// Below one device pixel a mark keeps one pixel and pays in opacity, so that density still reads as density.
void mark(vec2 xy, float value, float chosen) {
  vec4 c = colour(value);
  v_diameter = max(u_diameter, 1.0);
  c.a *= u_opacity * mix(u_dim, 1.0, chosen) * mix(0.6, 1.0, min(1.0, u_diameter));
  v_colour = c;
  v_ring = chosen * step(u_dim, 0.99);
  gl_Position = vec4(mat2(u_matrix.xy, u_matrix.zw) * xy + u_offset, 0.0, 1.0);
  if (c.a == 0.0) gl_Position = vec4(2.0, 2.0, 2.0, 1.0);
}
`;

export const POINT_VERTEX = `${COMMON}
layout(location = 0) in vec2 a_xy;
layout(location = 1) in float a_value;
layout(location = 2) in float a_chosen;
${VERTEX_BODY}
void main() {
  mark(a_xy, a_value, a_chosen);
  v_id = gl_VertexID;
  gl_PointSize = v_diameter <= 2.0 ? v_diameter : v_diameter + 2.0;
}`;

export const QUAD_VERTEX = `${COMMON}
layout(location = 0) in vec2 a_xy;
layout(location = 1) in float a_value;
layout(location = 2) in float a_chosen;
uniform int u_first;        // gl_InstanceID counts from 0 in each run
out vec2 v_corner;
${VERTEX_BODY}
void main() {
  mark(a_xy, a_value, a_chosen);
  v_id = u_first + gl_InstanceID;
  v_corner = vec2(float(gl_VertexID & 1), float(gl_VertexID >> 1)) - 0.5;
  gl_Position.xy += v_corner * vec2(1.0, -1.0) * (v_diameter + 2.0) * u_pixel;
}`;

const FRAGMENT_BODY = `
uniform int u_square;
uniform int u_parts;        // wedges of a pie, 0 without
uniform sampler2D u_shares; // one texel per observation and wedge, row-major
uniform sampler2D u_wedges; // colours of the wedges
flat in vec4 v_colour;
flat in int v_id;
flat in float v_ring;
flat in float v_diameter;
out vec4 o_colour;

const float TURN = 6.283185307;

vec3 wedge(vec2 p) {
  float angle = fract(0.25 - atan(-p.y, p.x) / TURN);   // clockwise from 12 o'clock
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

void main() {
  if (v_diameter <= 2.0) {
    o_colour = vec4(v_colour.rgb * v_colour.a, v_colour.a);
    return;
  }
  vec2 p = CORNER * (v_diameter + 2.0);                 // device px from the centre
  float radius = v_diameter * 0.5;
  float reach = u_square == 1 ? max(abs(p.x), abs(p.y)) : length(p);
  float cover = clamp(radius + 0.5 - reach, 0.0, 1.0);  // one pixel of antialiasing, centred on the true edge
  if (cover == 0.0) discard;
  vec3 rgb = u_parts > 0 ? wedge(p) : v_colour.rgb;
  float alpha = v_colour.a;
  // A thin darker rim keeps a pale mark legible on pale tissue; a selected one has a strong rim.
  float rim = clamp(reach - (radius - (v_ring > 0.5 ? 2.0 : 1.0)) + 0.5, 0.0, 1.0);
  if (v_diameter > 7.0) rgb = mix(rgb, v_ring > 0.5 ? vec3(0.05) : rgb * 0.55, rim);
  alpha *= cover;
  o_colour = vec4(rgb * alpha, alpha);
}`;

export const POINT_FRAGMENT = `${COMMON}#define CORNER (gl_PointCoord - 0.5)
${FRAGMENT_BODY}`;

export const QUAD_FRAGMENT = `${COMMON}in vec2 v_corner;
#define CORNER v_corner
${FRAGMENT_BODY}`;
