/** Placeholder of the viewer. */
import { t } from "../i18n";

export function Slide({ id }: { id: string }) {
  return (
    <div class="page">
      <h1>{t("slide.title")}</h1>
      <p>{id}</p>
    </div>
  );
}
