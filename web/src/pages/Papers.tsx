import { t } from "../i18n";
import { useTitle } from "../title";

export function Papers() {
  useTitle(t("papers.title"));
  return <h1>{t("papers.title")}</h1>;
}
