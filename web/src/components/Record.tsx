/** The stored record of a run: behind every number stands one. */
import { useState } from "preact/hooks";
import { part, useApi } from "../api";
import { t } from "../i18n";
import type { RecordName } from "../types";
import { Copy } from "./Copy";
import { Dialog } from "./Dialog";
import { Icon } from "./Icon";
import { JsonTree, type Json } from "./JsonTree";
import { ErrorState, Loading } from "./states";

export function RecordButton({
  record,
  label,
  quiet = false,
}: {
  record: RecordName;
  label?: string;
  quiet?: boolean;
}) {
  const [open, setOpen] = useState(false);
  const name = t("boards.record_of", { name: record.method });
  return (
    <>
      <button
        type="button"
        class={quiet ? "quiet square" : ""}
        aria-label={label ? undefined : name}
        title={name}
        onClick={() => setOpen(true)}
      >
        <Icon name="record" />
        {label}
      </button>
      {open && <RecordDialog record={record} title={name} onClose={() => setOpen(false)} />}
    </>
  );
}

function RecordDialog({ record, title, onClose }: { record: RecordName; title: string; onClose: () => void }) {
  const path = `records/${part(record.benchmark)}/${part(record.method)}/${part(record.id)}`;
  const { data, error, reload } = useApi<Json>(path);
  return (
    <Dialog title={title} onClose={onClose} wide>
      <div class="stack">
        <div class="row">
          <code>
            results/{record.benchmark}/{record.method}/{record.id}.json
          </code>
          {data !== null && <Copy text={JSON.stringify(data, null, 2)} />}
        </div>
        {error && <ErrorState error={error} retry={reload} />}
        {data === null && !error && <Loading />}
        {data !== null && <JsonTree value={data} />}
      </div>
    </Dialog>
  );
}
