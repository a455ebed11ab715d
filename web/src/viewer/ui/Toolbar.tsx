/** Tools over the stage: pan, lasso, polygon; zoom; figure and exports; link; keys. */

import { t, type Key } from "../../i18n";
import type { Stage } from "../stage";
import type { Tool } from "../tool";
import { Glyph, type GlyphName } from "./Glyph";

interface Props {
  stage: Stage;
  tool: Tool;
  /** Whether there is anything to select. */
  selectable: boolean;
  onTool: (tool: Tool) => void;
  onExport: () => void;
  onKeys: () => void;
}

export const TOOL_KEYS: Record<Tool, string> = { pan: "V", lasso: "L", polygon: "P" };

export function Toolbar({ stage, tool, selectable, onTool, onExport, onKeys }: Props) {
  const tools: Tool[] = selectable ? ["pan", "lasso", "polygon"] : [];
  return (
    <div class="toolbar" data-over role="toolbar" aria-label={t("slide.tools")} aria-orientation="vertical">
      {tools.map((name) => (
        <ToolButton key={name} glyph={name} label={t(`slide.tool_${name}`)} hint={TOOL_KEYS[name]} pressed={tool === name} onPress={() => onTool(name)} />
      ))}
      {tools.length > 0 && <span class="gap" aria-hidden="true" />}
      <ToolButton glyph="plus" label={t("slide.zoom_in")} hint="+" onPress={() => stage.zoomBy(1.5)} />
      <ToolButton glyph="minus" label={t("slide.zoom_out")} hint="−" onPress={() => stage.zoomBy(1 / 1.5)} />
      <ToolButton glyph="fit" label={t("slide.zoom_fit")} hint="0" onPress={() => stage.home()} />
      <span class="gap" aria-hidden="true" />
      <ToolButton glyph="save" label={t("slide.export")} hint="E" onPress={onExport} />
      <ToolButton glyph="keys" label={t("slide.keys")} hint="?" onPress={onKeys} />
    </div>
  );
}

function ToolButton(props: { glyph: GlyphName; label: string; hint: string; pressed?: boolean; onPress: () => void }) {
  return (
    <button
      type="button"
      class="tool"
      aria-label={props.label}
      aria-pressed={props.pressed}
      aria-keyshortcuts={props.hint}
      title={`${props.label} (${props.hint})`}
      onClick={props.onPress}
    >
      <Glyph name={props.glyph} />
    </button>
  );
}

export const KEYS: readonly (readonly [string, Key])[] = [
  ["← ↑ → ↓", "slide.keys_pan"],
  ["+  −", "slide.keys_zoom"],
  ["0", "slide.keys_fit"],
  ["[  ]", "slide.keys_gene"],
  ["1 2 3 4", "slide.keys_layers"],
  ["S", "slide.keys_swipe"],
  ["L  P  V", "slide.keys_tools"],
  ["Space", "slide.keys_corner"],
  ["Enter", "slide.keys_close"],
  ["Esc", "slide.keys_escape"],
  [",  .", "slide.keys_section"],
  ["E", "slide.keys_export"],
];
