/** How far a job is. Without a total the bar only shows that something moves. */
interface Props {
  label: string;
  done: number;
  total: number | null;
}

export function Progress({ label, done, total }: Props) {
  const share = total && total > 0 ? Math.min(1, done / total) : null;
  return (
    <div
      class={share === null ? "progress moving" : "progress"}
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={share === null ? undefined : Math.round(share * 100)}
    >
      <span style={share === null ? undefined : { width: `${share * 100}%` }} />
    </div>
  );
}
