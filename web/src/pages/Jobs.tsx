import { t } from "../i18n";
import { useTitle } from "../title";

export function Jobs() {
  useTitle(t("jobs.title"));
  return <h1>{t("jobs.title")}</h1>;
}
