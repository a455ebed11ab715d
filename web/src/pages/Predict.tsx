import { t } from "../i18n";
import { useTitle } from "../title";

export function Predict() {
  useTitle(t("predict.title"));
  return <h1>{t("predict.title")}</h1>;
}
