import { t } from "../i18n";
import { useTitle } from "../title";

export function NotFound() {
  useTitle(t("notfound.title"));
  return <h1>{t("notfound.title")}</h1>;
}
