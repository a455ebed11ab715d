/** Line icons of the viewer's tools, of the same weight as the shell's. */
const PATHS = {
  pan: "M10 3v14M3 10h14M10 3 8 5.2M10 3l2 2.2M10 17l-2-2.2M10 17l2-2.2M3 10l2.2-2M3 10l2.2 2M17 10l-2.2-2M17 10l-2.2 2",
  lasso: "M6.2 12.8C4.4 12 3.3 10.700 3.300 9.200c0-3 3-5.200 6.700-5.200s6.700 2.200 6.700 5.200-3 5.200-6.700 5.200c-.6 0-1.200 0-1.800-.2M8.200 14.200a1.700 1.700 0 1 1-3.300-.4 1.700 1.700 0 0 1 3.300.4ZM5.600 15.300c.3 1 .1 1.700-.6 2.200",
  polygon: "M5 15.200 3.600 7.400 10.400 3.600l6 4.400-2.600 7.600ZM5 15.200h.01M3.600 7.400h.01M10.400 3.600h.01M16.400 8h.01M13.800 15.600h.01",
  plus: "M10 4.500v11M4.500 10h11",
  minus: "M4.500 10h11",
  fit: "M7.500 4H4v3.500M12.500 4H16v3.500M16 12.500V16h-3.500M4 12.500V16h3.500",
  save: "M10 3.500v9M6.500 9.200 10 12.700l3.500-3.500M4 14v2.500h12V14",
  keys: "M3 6h14v8.500H3zM5.800 8.800h.01M8.600 8.800h.01M11.400 8.800h.01M14.200 8.800h.01M7 11.700h6",
  link: "M8.300 11.700 11.700 8.300M9 6.600l1.500-1.500a3.100 3.100 0 0 1 4.400 4.400L13.400 11M11 13.400l-1.500 1.500a3.100 3.100 0 0 1-4.400-4.400L6.600 9",
  panel: "M3.500 4.500h13v11h-13zM8 4.500v11",
} as const;

export type GlyphName = keyof typeof PATHS;

export function Glyph({ name, size = 18 }: { name: GlyphName; size?: number }) {
  return (
    <svg class="icon" width={size} height={size} viewBox="0 0 20 20" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} fill="none" stroke="currentColor" stroke-width="1.6" stroke-linecap="round" stroke-linejoin="round" />
    </svg>
  );
}
