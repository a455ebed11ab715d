import { t } from "../i18n";
import { useTitle } from "../title";

export function Boards() {
  useTitle(t("boards.title"));
  return <h1>{t("boards.title")}</h1>;
}
