/** A table that sorts by its headings, by mouse or keyboard. */
import type { ComponentChildren } from "preact";
import { useMemo, useState } from "preact/hooks";
import { t } from "../i18n";
import { Icon } from "./Icon";

export type SortValue = number | string | null | undefined;

export interface Column<Row> {
  key: string;
  head: ComponentChildren;
  /** What the heading is called where `head` is not a text. */
  name?: string;
  cell: (row: Row) => ComponentChildren;
  /** Makes the column sortable. */
  sort?: (row: Row) => SortValue;
  /** Numbers: aligned right, and the first click sorts from high to low. */
  number?: boolean;
  /** Small numbers are the better ones: the first click sorts from low to high. */
  low?: boolean;
  /** The cell that names its row. */
  header?: boolean;
  title?: string;
  class?: string;
}

export interface Order {
  key: string;
  down: boolean;
}

interface Props<Row> {
  caption: string;
  columns: Column<Row>[];
  rows: Row[];
  rowKey: (row: Row) => string;
  rowClass?: (row: Row) => string | undefined;
  start?: Order;
}

export function Table<Row>({ caption, columns, rows, rowKey, rowClass, start }: Props<Row>) {
  const [order, setOrder] = useState<Order | null>(start ?? null);
  const sorted = useMemo(() => sortRows(rows, columns, order), [rows, columns, order]);

  const press = (column: Column<Row>) => {
    const first = Boolean(column.number) && !column.low;
    setOrder(order?.key === column.key ? { key: column.key, down: !order.down } : { key: column.key, down: first });
  };

  return (
    <div class="table-scroll" tabIndex={0} role="group" aria-label={caption}>
      <table>
        <caption class="unseen">{caption}</caption>
        <thead>
          <tr>
            {columns.map((column) => {
              const here = order?.key === column.key ? order : null;
              return (
                <th
                  key={column.key}
                  scope="col"
                  class={cellClass(column)}
                  title={column.title}
                  aria-sort={here ? (here.down ? "descending" : "ascending") : undefined}
                >
                  {column.sort ? (
                    <button
                      type="button"
                      class="sort"
                      onClick={() => press(column)}
                      title={t("table.sort", { name: column.name ?? String(column.head) })}
                    >
                      {column.head}
                      <span class="sort-mark">{here && <Icon name={here.down ? "fall" : "up"} size={12} />}</span>
                    </button>
                  ) : (
                    column.head
                  )}
                </th>
              );
            })}
          </tr>
        </thead>
        <tbody>
          {sorted.map((row) => (
            <tr key={rowKey(row)} class={rowClass?.(row)}>
              {columns.map((column) =>
                column.header ? (
                  <th key={column.key} scope="row" class={cellClass(column)}>
                    {column.cell(row)}
                  </th>
                ) : (
                  <td key={column.key} class={cellClass(column)}>
                    {column.cell(row)}
                  </td>
                ),
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

const cellClass = <Row,>(column: Column<Row>) =>
  [column.number && "number", column.class].filter(Boolean).join(" ") || undefined;

/** Sorted copy; rows without a value come last either way. */
function sortRows<Row>(rows: Row[], columns: Column<Row>[], order: Order | null): Row[] {
  const by = columns.find((column) => column.key === order?.key)?.sort;
  if (!by || !order) return rows;
  const sign = order.down ? -1 : 1;
  const missing = (value: SortValue) => value == null || Number.isNaN(value);
  return [...rows].sort((a, b) => {
    const [x, y] = [by(a), by(b)];
    if (missing(x) || missing(y)) return Number(missing(x)) - Number(missing(y));
    if (typeof x === "number" && typeof y === "number") return sign * (x - y);
    return sign * String(x).localeCompare(String(y), undefined, { numeric: true });
  });
}
