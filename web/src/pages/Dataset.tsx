import { t } from "../i18n";

export function Dataset({ key }: { key: string }) {
  return (
    <h1>
      {t("datasets.title")} {key}
    </h1>
  );
}
