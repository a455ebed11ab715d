/** What the server answers; the contract is `histoscribe.studio`'s OpenAPI document. */
import type { Both } from "./i18n";

export interface Meta {
  version: string;
  project: string;
  limits: { upload_bytes: number; markers_observations: number };
  items: number;
  demo: boolean;
}

export type ItemKind = "slide" | "section" | "prediction";

export interface Item {
  id: string;
  kind: ItemKind;
  name: string;
  donor: string | null;
  file: string;
  /** Items are opened one after the other: until `ready`, what is measured on them is null. */
  state: "waiting" | "opening" | "ready" | "failed";
  error: ErrorParts | null;
  n_observations: number | null;
  n_genes: number | null;
  mpp: number | null;
  width_px: number | null;
  height_px: number | null;
  compare: string[];
  stack: string | null;
}

export type LayerName = "measured" | "predicted" | "residual" | "uncertainty";

export interface ItemDetail extends Item {
  n_observations: number;
  n_genes: number;
  width_px: number;
  height_px: number;
  slide: {
    width_px: number;
    height_px: number;
    mpp: number | null;
    /** Level 0 is the full image. */
    levels: {
      level: number;
      width_px: number;
      height_px: number;
      tile_width_px: number;
      tile_height_px: number;
      downsample: number;
    }[];
    passthrough: boolean;
    mime: string;
  } | null;
  observations: { n: number; shape: "circle" | "square"; size_px: number; pitch_px: number | null } | null;
  layers: { name: LayerName; unit: string; default: boolean }[];
  categories: { key: string; kind: "domain"; names: string[]; colours: string[] }[];
  composition: { names: string[]; colours: string[] } | null;
  trust: boolean;
  notes: string[];
  /** True while other items are being read: layers and `compare` may grow. */
  opening_others: boolean;
  sections_of_stack: { id: string; z_um: number }[];
}

export type Trust = "good" | "weak" | "none";

export interface Gene {
  name: string;
  mean: number;
  trust: Trust | null;
  reason: string | null;
}

export interface Marker {
  name: string;
  mean_inside: number;
  mean_outside: number;
  log2_fold_change: number;
  auc: number;
  p_adjusted: number;
}

export interface Markers {
  n_inside: number;
  n_outside: number;
  genes: Marker[];
}

export interface Summary {
  groups: { name: string; n: number; mean: number; median: number; q25: number; q75: number }[];
}

export interface Bundle {
  id: string;
  name: string;
  method: string;
  encoder: string;
  n_genes: number;
  tile_um: number | null;
  trained_on: string[] | string;
  licence: string | null;
}

export type FindingLevel = "ok" | "warn" | "wrong";

export interface Check {
  ok: FindingLevel;
  findings: { what: string; where: string; todo: string; level: FindingLevel }[];
  overlay: string | null;
}

export type JobState = "waiting" | "running" | "done" | "failed" | "cancelled";

export interface ErrorParts {
  what: string;
  where: string;
  todo: string;
}

export interface Job {
  id: string;
  kind: string;
  state: JobState;
  done: number;
  total: number | null;
  unit: string;
  rate: number | null;
  eta_s: number | null;
  message: string;
  result_item: string | null;
  scores: Record<string, unknown> | null;
  error: ErrorParts | null;
  created: string | number;
  title?: string;
}

export interface BoardLine {
  id: string;
  version: string;
  protocol: string;
  heading: Both;
  unit: string;
  n: Record<string, number>;
  best: { title: string; metric: string; value: number } | null;
}

export interface Score {
  value: number;
  lower?: number | null;
  upper?: number | null;
}
