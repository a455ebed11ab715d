import { t } from "../i18n";
import { useTitle } from "../title";

export function Datasets() {
  useTitle(t("datasets.title"));
  return <h1>{t("datasets.title")}</h1>;
}
