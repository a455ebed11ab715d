/** A table of texts as the command line prints it. */
import { Said } from "../../components/Said";
import { Table } from "../../components/Table";
import { said } from "../../said";
import type { TextTable } from "../../types";

/** Sorts "0.123 ± 0.004" and "1,234" as numbers, everything else as text. */
function sortable(text: string): number | string | null {
  const value = parseFloat(text.replace(/,/g, "").replace("−", "-"));
  return Number.isNaN(value) ? (text === "–" ? null : text) : value;
}

export function PlainTable({ caption, table }: { caption: string; table: TextTable }) {
  const rows = table.rows.map((cells, i) => ({ cells, i }));
  const columns = table.header.map((head, at) => ({
    key: String(at),
    head: head ? <Said text={head} /> : <span class="unseen">{caption}</span>,
    name: said(head).text,
    header: at === 0,
    ...(head ? { sort: ({ cells }: { cells: string[] }) => sortable(cells[at] ?? "") } : {}),
    cell: ({ cells }: { cells: string[] }) => <Said text={cells[at] ?? ""} />,
  }));
  return <Table caption={caption} columns={columns} rows={rows} rowKey={(row) => String(row.i)} />;
}
