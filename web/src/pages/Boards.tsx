import { part, useApi } from "../api";
import { EmptyState, ErrorState, Loading } from "../components/states";
import { pick, score, t, tOr } from "../i18n";
import { Link } from "../router";
import { useTitle } from "../title";
import type { BoardLine } from "../types";

export function Boards() {
  useTitle(t("boards.title"));
  const { data, error, reload } = useApi<{ boards: BoardLine[] }>("boards");
  // A run without a protocol belongs to no benchmark: shown last, since nothing says what it can be compared with.
  const group = (key: "suites" | "studies" | "loose", belongs: (board: BoardLine) => boolean) => ({
    key,
    title: t(`boards.${key}`),
    boards: data?.boards.filter(belongs) ?? [],
  });
  const groups = [
    group("suites", (board) => board.kind === "suite" && board.protocol !== ""),
    group("studies", (board) => board.kind === "study"),
    group("loose", (board) => board.kind === "suite" && board.protocol === ""),
  ];
  return (
    <div class="page">
      <header class="page-head">
        <div>
          <h1>{t("boards.title")}</h1>
          <p class="lead">{t("boards.lead")}</p>
        </div>
      </header>
      {error && <ErrorState error={error} retry={reload} />}
      {!data && !error && <Loading />}
      {data?.boards.length === 0 && (
        <EmptyState title={t("boards.empty")}>
          <p>{t("boards.empty_todo")}</p>
          <pre>
            <code>histoscribe bench run synthetic-planted</code>
          </pre>
        </EmptyState>
      )}
      {groups
        .filter(({ boards }) => boards.length > 0)
        .map(({ key, title, boards }) => (
          <section key={key} class="section" aria-labelledby={key}>
            <h2 id={key}>{title}</h2>
            <ul class="lines">
              {boards.map((board) => (
                <Line key={`${board.id} ${board.version}`} board={board} />
              ))}
            </ul>
          </section>
        ))}
    </div>
  );
}

export function Protocol({ protocol }: { protocol: string }) {
  if (protocol === "") return null;
  return protocol === "clean" ? (
    <span class="tag good">{t("boards.protocol.clean")}</span>
  ) : (
    <span class="tag warn">{tOr(`boards.protocol.${protocol}`, protocol)}</span>
  );
}

/** E.g. "4 donors · 12 sections". */
export const counts = (n: Record<string, number>): string =>
  (["donors", "sections", "observations", "genes", "folds"] as const)
    .filter((key) => n[key])
    .map((key) => t(`boards.n.${key}`, { n: n[key] ?? 0 }))
    .join(" · ");

function Line({ board }: { board: BoardLine }) {
  const { best } = board;
  return (
    <li class="line board-line">
      <div>
        <h3>
          <Link href={`/boards/${part(board.id)}`}>{pick(board.heading)}</Link>
        </h3>
        <p class="small muted">
          <code>{board.id}</code> · {counts(board.n)}
        </p>
        <p class="row tags">
          <Protocol protocol={board.protocol} />
          <span class="tag">{t("boards.version", { n: board.version })}</span>
          {board.beaten ? <span class="tag bad">{t("boards.beaten", { n: board.beaten })}</span> : null}
        </p>
      </div>
      {best && (
        <dl class="best">
          <dt class="small muted">
            {t("boards.best")} · <code>{best.metric}</code>
          </dt>
          <dd>
            <strong>{score(best.value)}</strong> <span class="small">{best.title}</span>
          </dd>
        </dl>
      )}
    </li>
  );
}
