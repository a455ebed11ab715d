import { t } from "../i18n";

export function Board({ id }: { id: string }) {
  return (
    <h1>
      {t("boards.title")} {id}
    </h1>
  );
}
