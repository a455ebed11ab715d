import { t } from "../i18n";
import { useTitle } from "../title";

export function Home() {
  useTitle(t("home.title"));
  return <h1>{t("home.title")}</h1>;
}
