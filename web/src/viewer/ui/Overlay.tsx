/** What lies over the panels and moves with them: outlines, the hovered mark, the keyboard's cross. */

import { useStore, type Store } from "../../store";
import type { ItemDetail } from "../../types";
import { degrees, toStage, type Frame, type Point } from "../plane";
import { carry, together } from "../registered";
import type { Stage } from "../stage";
import type { Draft } from "../tool";

export interface Hover {
  panel: string;
  item: string;
  observation: number;
  centre: Point;
  /** Diameter or side, level-0 px. */
  size: number;
  square: boolean;
}

interface Props {
  stage: Stage;
  tick: Store<number>;
  /** Panels, with the item that each shows. */
  panels: readonly { key: string; item: ItemDetail }[];
  owner: ItemDetail;
  draft: Draft | null;
  polygon: readonly Point[] | null;
  hover: Hover | null;
  cross: boolean;
  swipe: number | null;
}

export function Overlay({ stage, tick, panels, owner, draft, polygon, hover, cross, swipe }: Props) {
  useStore(tick);
  return (
    <svg class="overlay" aria-hidden="true">
      {panels.map(({ key, item }) => {
        const frame = stage.frame(key);
        if (!frame) {
          return null;
        }
        const { box } = frame;
        return (
          <svg key={key} x={box.x} y={box.y} width={box.width} height={box.height} viewBox={`${box.x} ${box.y} ${box.width} ${box.height}`}>
            {polygon && together(item, owner) && (
              <>
                <polygon class="outline under" points={path(frame, polygon.map((point) => carry(point, owner, item)))} />
                <polygon class="outline" points={path(frame, polygon.map((point) => carry(point, owner, item)))} />
              </>
            )}
            {draft?.panel === key && <DraftLine frame={frame} draft={draft} />}
            {hover?.item === item.id && <Ring frame={frame} hover={hover} />}
            {cross && stage.leading === key && (
              <path
                class="cross"
                d={`M${box.x + box.width / 2} ${box.y + box.height / 2}m-11 0h8m6 0h8m-11-11v8m0 6v8`}
              />
            )}
            {swipe !== null && <line class="divider" x1={box.x + swipe * box.width} x2={box.x + swipe * box.width} y1={box.y} y2={box.y + box.height} />}
          </svg>
        );
      })}
    </svg>
  );
}

function DraftLine({ frame, draft }: { frame: Frame; draft: Draft }) {
  const points = draft.tip ? [...draft.points, draft.tip] : draft.points;
  const [x, y] = toStage(frame, draft.points[0] as Point);
  return (
    <>
      <polyline class="outline under" points={path(frame, points)} />
      <polyline class="outline draft" points={path(frame, points)} />
      <circle class="corner" cx={x} cy={y} r="4" />
    </>
  );
}

function Ring({ frame, hover }: { frame: Frame; hover: Hover }) {
  const [x, y] = toStage(frame, hover.centre);
  const half = Math.max(4, (hover.size * frame.scale) / 2) + 1.5;
  return hover.square ? (
    <g transform={`rotate(${degrees(frame.turn)} ${x} ${y})`}>
      <rect class="ring under" x={x - half} y={y - half} width={2 * half} height={2 * half} />
      <rect class="ring" x={x - half} y={y - half} width={2 * half} height={2 * half} />
    </g>
  ) : (
    <>
      <circle class="ring under" cx={x} cy={y} r={half} />
      <circle class="ring" cx={x} cy={y} r={half} />
    </>
  );
}

const path = (frame: Frame, points: readonly Point[]) => points.map((point) => toStage(frame, point).map((v) => v.toFixed(1)).join(",")).join(" ");
