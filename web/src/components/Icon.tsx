/** Line icons of one weight, 20 px; always beside a word or in a button that has a label. */
const PATHS = {
  sun: "M10 3v1.5M10 15.5V17M3 10h1.5M15.5 10H17M5 5l1 1M14 14l1 1M15 5l-1 1M6 14l-1 1M13 10a3 3 0 1 1-6 0 3 3 0 0 1 6 0Z",
  moon: "M16.5 11.6A6.8 6.8 0 0 1 8.4 3.5a6.8 6.8 0 1 0 8.1 8.1Z",
  close: "M5 5l10 10M15 5 5 15",
  down: "M5.5 8 10 12.5 14.5 8",
  right: "M8 5.5 12.5 10 8 14.5",
  left: "M12 5.5 7.5 10l4.5 4.5",
  up: "M10 16V5M5.5 9.5 10 5l4.5 4.5",
  fall: "M10 4v11M5.5 10.5 10 15l4.5-4.5",
  check: "M4.5 10.5 8.5 14.5 15.5 6",
  warn: "M10 7.5v3.5M10 13.6v.2M10 3.2 17.2 16H2.8L10 3.2Z",
  wrong: "M10 6.5v4.5M10 13.6v.2M17 10a7 7 0 1 1-14 0 7 7 0 0 1 14 0Z",
  copy: "M7.5 7.5h8v8h-8zM12.5 7.5v-3h-8v8h3",
  link: "M11.5 4H16v4.5M16 4 9 11M13.5 12v4H4V6.5h4",
  search: "M13.2 13.2 16.5 16.5M14.5 9a5.5 5.5 0 1 1-11 0 5.5 5.5 0 0 1 11 0Z",
  upload: "M10 13V4M6.5 7.2 10 3.8l3.5 3.4M4 13v3h12v-3",
  play: "M7 4.8v10.4l8-5.2-8-5.2Z",
  record: "M6 3.5h6l3 3v10H6zM8.5 9.5h4M8.5 12.5h4",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 18 }: { name: IconName; size?: number }) {
  return (
    <svg class="icon" width={size} height={size} viewBox="0 0 20 20" aria-hidden="true" focusable="false">
      <path
        d={PATHS[name]}
        fill="none"
        stroke="currentColor"
        stroke-width="1.6"
        stroke-linecap="round"
        stroke-linejoin="round"
      />
    </svg>
  );
}
