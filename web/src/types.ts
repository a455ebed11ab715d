/** What the server answers; the contract is `histoscribe.studio`'s OpenAPI document. */
import type { Both } from "./i18n";
import type { Pair, Registered } from "./viewer/registered";

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
  /** In order of depth; `pairs` say how well a section was registered to its neighbours. */
  sections_of_stack: { id: string; z_um: number | null; pairs: Pair[] }[];
  /** Where a section of a registered stack lies in it. */
  place: Registered | null;
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
  kind: "suite" | "study";
  heading: Both;
  unit: string;
  n: Record<string, number>;
  best: { title: string; kind: string; metric: string; value: number } | null;
  /** Methods that a control beats in the headline metric. */
  beaten?: number;
}

export interface Score {
  value: number;
  lower?: number | null;
  upper?: number | null;
}

export type Terms = Record<string, Record<string, Both & { means?: Both | null }>>;

export interface PaperLine {
  key: string;
  title: string;
  authors_short: string;
  year: number | null;
  venue: string | null;
  tasks: string[];
  code_rung: number;
  implemented: string[];
  doi: string | null;
  status?: string;
  founding?: number | null;
}

export interface PaperList {
  total: number;
  papers: PaperLine[];
  facets: {
    task: Record<string, number>;
    year: Record<string, number>;
    rung: Record<string, number>;
    implemented?: number;
  };
}

export interface PaperRecord {
  id: string;
  title: string;
  authors?: string[];
  year: number | null;
  venue: { name: string; track?: string | null } | null;
  status: "published" | "preprint" | "retracted" | "unknown";
  doi?: string | null;
  arxiv?: string | null;
  url?: string | null;
  pages?: string | null;
  volume?: string | null;
  founding?: number | null;
  tasks: string[];
  approach?: string[];
  method?: { name: string; aliases?: string[] } | null;
  modality?: {
    inputs?: string[];
    outputs?: string[];
    histology?: "required" | "optional" | "unused" | null;
    resolution?: string[];
    platforms?: string[];
    organs?: string[];
    species?: string[];
  };
  datasets_unlisted?: string[];
  versions?: { kind: string; doi?: string | null; arxiv?: string | null; url?: string | null; date?: string | null }[];
  code?: {
    url?: string | null;
    status: string;
    licence?: string | null;
    last_commit?: string | null;
    commit?: string | null;
    note?: string | null;
  } | null;
  note?: string | null;
  note_zh?: string | null;
  provenance?: Record<string, (string | { source: string; value?: string | number | null })[]>;
  conflicts?: Conflict[];
}

export interface Conflict {
  field: string;
  claims: { source: string; value?: string | number | null }[];
  decided?: string | number | null;
  reason: string;
}

export interface Named {
  key: string;
  name: string;
}

export interface PaperResult {
  task: string | null;
  dataset: string;
  dataset_name: string | null;
  split: string | null;
  encoder: string | null;
  metric: string;
  reported: number | null;
  measured: number | null;
  synthetic?: boolean;
  source: string | null;
  note?: string | null;
}

export interface RecordName {
  benchmark: string;
  method: string;
  id: string;
}

export interface PaperDetail {
  key: string;
  record: PaperRecord;
  level: number;
  ladder: { rung: number; reached: boolean | null }[];
  reproduced: string[];
  results: PaperResult[];
  runs: (RecordName & { created: string })[];
  implemented: string[];
  bibtex: string;
  datasets: Named[];
  near: { key: string; title: string; year: number | null }[];
  sources?: Record<string, string>;
}

export interface DatasetLine {
  key: string;
  name: string;
  kind: "cohort" | "collection" | "portal" | "predicted";
  technology: string[];
  organs: string[];
  species: string[];
  resolution: string[];
  n_samples: number | null;
  n_spots: number | null;
  n_donors: number | null;
  licence: string | null;
  histology: boolean | null;
  paper: string | null;
}

export interface DatasetDetail {
  key: string;
  record: DatasetLine & {
    id: string;
    url?: string | null;
    doi?: string | null;
    aliases?: string[];
    accession?: string[];
    release?: string | null;
    gated?: boolean | null;
    image_mpp?: number | null;
    n_unlicensed?: number | null;
    n_internal?: number | null;
    note?: string | null;
    note_zh?: string | null;
    conflicts?: Conflict[];
  };
  papers: { key: string; title: string; year: number | null }[];
  contains: Named[];
  contained_in: Named[];
  overlaps: Named[];
  /** Sentences on what a split over this and another data set would leak. */
  leaks: string[];
  paper: { key: string; title: string } | null;
}

export interface Metric {
  name: string;
  direction: "higher" | "lower" | "nearer";
  best?: number | null;
  unit?: string | null;
  summary: string;
}

export interface BoardRow {
  title: string;
  kind: string;
  label: string;
  encoder?: string | null;
  scores: Record<string, Score | undefined>;
  records: (RecordName & { seed?: number | null })[];
}

export interface BoardTable {
  key: string;
  heading: Both | null;
  rows: BoardRow[];
  ceilings: { label: "noise" | "known"; scores: Record<string, number | null> }[];
}

export interface BoardDifference {
  table?: string;
  method: string;
  against: string;
  role: string;
  metric: string;
  unit: string;
  n: number;
  mean: number;
  lower: number | null;
  upper: number | null;
  clear: boolean;
}

export interface TextTable {
  header: string[];
  rows: string[][];
}

export interface BoardDetail {
  id: string;
  version: string;
  protocol: string;
  kind: "suite" | "study";
  heading: Both;
  notes: Both[];
  unit: string;
  n: Record<string, number>;
  dirty: boolean;
  /** English; what the page cannot say from the numbers itself. */
  sentences: string[];
  /** Controls that beat a method; `table` is the case of a study in which they do. */
  wins: {
    table: string;
    method: string;
    metric: string;
    own: number;
    controls: { title: string; value: number }[];
  }[];
  failures: { title: string; message: string }[];
  not_applicable?: { title: string; reason: string }[];
  fixes: Record<string, string>;
  metrics: Metric[];
  tables: BoardTable[];
  differences: BoardDifference[];
  cost: TextTable | null;
  published: TextTable | null;
  published_sources: string[];
  elsewhere: {
    suite: string;
    method: string;
    metric: string;
    value: number;
    source: string;
    text: string;
    second_hand: boolean;
  }[];
}
