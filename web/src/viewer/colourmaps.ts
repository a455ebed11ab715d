/**
 * Colour maps of 256 entries that colour-blind readers can order.
 *
 * viridis, cividis and magma are matplotlib's (CC0), stored at every fifth entry and interpolated (largest error: 4 of
 * 255). `diverging` is our own: blue - near white - orange, even steps in OKLab, equal lightness at both ends.
 */

export type MapName = "viridis" | "cividis" | "magma" | "diverging";
export const SEQUENTIAL: readonly MapName[] = ["viridis", "cividis", "magma"];
export const MAPS: readonly MapName[] = [...SEQUENTIAL, "diverging"];

const ANCHORS: Record<"viridis" | "cividis" | "magma", string> = {
  viridis:
    "440154 46085c 471063 481769 481d6f 482475 472a7a 46307e 453781 433d84 414287 3f4889 3d4e8a 3a538b " +
    "38598c 355e8d 33638d 31688e 2e6d8e 2c718e 2a768e 297b8e 27808e 25848e 23898e 218e8d 20928c 1f978b " +
    "1e9c89 1fa188 21a585 24aa83 28ae80 2eb37c 35b779 3dbc74 46c06f 50c46a 5ac864 65cb5e 70cf57 7cd250 " +
    "89d548 95d840 a2da37 b0dd2f bddf26 cae11f d8e219 e5e419 f1e51d fde725",
  cividis:
    "00224e 002656 002a5f 002d68 003070 083370 163770 203a6f 273e6e 2e416d 34456c 3a486c 3f4c6c 444f6c " +
    "49536c 4e566c 535a6d 575d6d 5c616e 60646f 656870 696b71 6d6f72 727274 767676 7a7a78 7e7d78 838179 " +
    "888578 8d8878 928c78 969077 9b9476 a09875 a59c74 aaa073 afa471 b5a86f baac6d bfb06b c4b468 c9b965 " +
    "cfbd62 d4c15f dac65b dfca57 e5cf52 ead34c f0d846 f6dd3f fce236 fee838",
  magma:
    "000004 02020b 050416 090720 0e0b2b 140e36 1a1042 21114e 29115a 311165 390f6e 420f75 4a1079 52137c " +
    "5a167e 621980 6a1c81 721f81 792282 812581 892881 912b81 992d80 a1307e aa337d b2357b ba3878 c23b75 " +
    "ca3e72 d2426f d9466b e04c67 e75263 ec5860 f1605d f4695c f7725c f97b5d fb8560 fc8e64 fd9869 fea16e " +
    "feaa74 feb47b febd82 fec68a fecf92 fed89a fde2a3 fdebac fcf4b6 fcfdbf",
};

/** Ends and middle of the diverging map in OKLab: lightness, green-red, blue-yellow. */
const BLUE = [0.42, -0.03, -0.16] as const;
const WHITE = [0.965, 0.0, 0.004] as const;
const ORANGE = [0.52, 0.11, 0.1] as const;

const cache = new Map<MapName, Uint8Array>();

/** Give a map as 256 RGBA entries, 1024 bytes; the array is shared, so do not write to it. */
export function colourMap(name: MapName): Uint8Array {
  let map = cache.get(name);
  if (!map) {
    map = name === "diverging" ? diverging() : interpolated(ANCHORS[name]);
    cache.set(name, map);
  }
  return map;
}

/** Give the CSS colour at `t` in [0, 1]; outside it is clamped. */
export function colourAt(name: MapName, t: number): string {
  const map = colourMap(name);
  const i = 4 * Math.round(255 * Math.min(1, Math.max(0, t)));
  return `rgb(${map[i]},${map[i + 1]},${map[i + 2]})`;
}

/** Give a CSS gradient from left to right, for legends and sliders. */
export function cssGradient(name: MapName, direction = "to right"): string {
  const stops = Array.from({ length: 17 }, (_, k) => colourAt(name, k / 16));
  return `linear-gradient(${direction}, ${stops.join(", ")})`;
}

/** Turn "#rrggbb" colours into RGBA entries, padded to a multiple of 256 so that they fill a texture's rows. */
export function palette(colours: readonly string[], hidden: ReadonlySet<number> = new Set()): Uint8Array {
  const rows = Math.max(1, Math.ceil(colours.length / 256));
  const out = new Uint8Array(rows * 1024);
  colours.forEach((colour, k) => {
    const value = Number.parseInt(colour.slice(1), 16);
    out.set([value >> 16, (value >> 8) & 255, value & 255, hidden.has(k) ? 0 : 255], 4 * k);
  });
  return out;
}

function interpolated(anchors: string): Uint8Array {
  const colours = anchors.split(" ").map((hex) => Number.parseInt(hex, 16));
  const out = new Uint8Array(1024);
  for (let i = 0; i < 256; i++) {
    const k = Math.min(Math.floor(i / 5), colours.length - 2);
    const t = i / 5 - k;
    for (let c = 0; c < 3; c++) {
      const shift = 16 - 8 * c;
      const low = ((colours[k] as number) >> shift) & 255;
      const high = ((colours[k + 1] as number) >> shift) & 255;
      out[4 * i + c] = Math.round(low + t * (high - low));
    }
    out[4 * i + 3] = 255;
  }
  return out;
}

function diverging(): Uint8Array {
  const out = new Uint8Array(1024);
  for (let i = 0; i < 256; i++) {
    const t = (i - 127.5) / 127.5;
    const end = t < 0 ? BLUE : ORANGE;
    const lab = WHITE.map((w, c) => w + Math.abs(t) * ((end[c] as number) - w));
    out.set(oklabToRgb(lab[0] as number, lab[1] as number, lab[2] as number), 4 * i);
    out[4 * i + 3] = 255;
  }
  return out;
}

/** Ottosson 2020, "A perceptual color space for image processing": OKLab -> linear sRGB -> sRGB bytes. */
function oklabToRgb(lightness: number, a: number, b: number): number[] {
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ].map((v) => {
    const clipped = Math.min(1, Math.max(0, v));
    const gamma = clipped <= 0.0031308 ? 12.92 * clipped : 1.055 * clipped ** (1 / 2.4) - 0.055;
    return Math.round(255 * gamma);
  });
}
