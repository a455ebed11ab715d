/** JSON as a tree that folds; long lists start folded. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

const OPEN = 12;

export function JsonTree({ value }: { value: Json }) {
  return (
    <div class="json" lang="en">
      <Children value={value} />
    </div>
  );
}

function Children({ value }: { value: Json }) {
  const entries = value !== null && typeof value === "object" ? Object.entries(value) : [];
  return (
    <ul>
      {entries.map(([key, child]) => (
        <Node key={key} name={key} value={child} />
      ))}
    </ul>
  );
}

function Node({ name, value }: { name: string; value: Json }) {
  if (value === null || typeof value !== "object") {
    return (
      <li>
        <span class="json-key">{name}</span>{" "}
        <span class={`json-${value === null ? "null" : typeof value}`}>{String(value)}</span>
      </li>
    );
  }
  const size = Object.keys(value).length;
  const flat = Array.isArray(value) && value.every((child) => child === null || typeof child !== "object");
  return (
    <li>
      <details open={size > 0 && size <= OPEN && !flat}>
        <summary>
          <span class="json-key">{name}</span>{" "}
          <span class="json-null">{Array.isArray(value) ? `[${size}]` : `{${size}}`}</span>
        </summary>
        {flat ? <p class="json-flat">{value.map(String).join(", ")}</p> : <Children value={value} />}
      </details>
    </li>
  );
}
