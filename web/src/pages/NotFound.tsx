import { EmptyState } from "../components/states";
import { t } from "../i18n";
import { Link } from "../router";
import { useTitle } from "../title";

export function NotFound() {
  useTitle(t("notfound.title"));
  return (
    <div class="page">
      <h1 class="unseen">{t("notfound.title")}</h1>
      <EmptyState title={t("notfound.title")}>
        <p>{t("notfound.todo")}</p>
        <Link class="button" href="/">
          {t("notfound.home")}
        </Link>
      </EmptyState>
    </div>
  );
}
