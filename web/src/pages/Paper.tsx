import { t } from "../i18n";

export function Paper({ key }: { key: string }) {
  return (
    <h1>
      {t("papers.title")} {key}
    </h1>
  );
}
