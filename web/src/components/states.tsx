/** What a page shows while it has nothing to show: loading, empty, failed. */
import type { ComponentChildren } from "preact";
import { t } from "../i18n";
import type { ErrorParts } from "../types";
import { Icon } from "./Icon";
import { Said } from "./Said";

export function Loading({ label }: { label?: string }) {
  return (
    <div class="loading" role="status">
      <span class="spinner" aria-hidden="true" />
      {label ?? t("state.loading")}
    </div>
  );
}

export function EmptyState({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="empty">
      <p class="empty-title">{title}</p>
      {children && <div class="empty-body">{children}</div>}
    </div>
  );
}

/** The three parts of a failure. */
export function ErrorState({ error, retry }: { error: ErrorParts; retry?: () => void }) {
  return (
    <div class="notice bad" role="alert">
      <Icon name="wrong" />
      <div>
        <p class="notice-title">{t("error.title")}</p>
        <p class="what">
          <Said text={error.what} />
        </p>
        <dl class="parts">
          {error.where && (
            <>
              <dt>{t("error.where")}</dt>
              <dd>
                <Said text={error.where} />
              </dd>
            </>
          )}
          {error.todo && (
            <>
              <dt>{t("error.todo")}</dt>
              <dd>
                <Said text={error.todo} />
              </dd>
            </>
          )}
        </dl>
        {retry && (
          <button type="button" onClick={retry}>
            {t("action.retry")}
          </button>
        )}
      </div>
    </div>
  );
}
