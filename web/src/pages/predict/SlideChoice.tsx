/** Choose an open slide, or drop a file. */
import { useCallback, useRef, useState } from "preact/hooks";
import { asApiError, ApiError, upload } from "../../api";
import { Combobox } from "../../components/Combobox";
import { Icon } from "../../components/Icon";
import { pixels, Thumbnail } from "../../components/Thumbnail";
import { Progress } from "../../components/Progress";
import { ErrorState } from "../../components/states";
import { bytes, t } from "../../i18n";
import type { Item } from "../../types";

interface Props {
  slides: Item[];
  chosen: Item | null;
  limit: number | null;
  onChoose: (item: Item) => void;
  onUpload: (item: Item) => void;
}

export function SlideChoice({ slides, chosen, limit, onChoose, onUpload }: Props) {
  const load = useCallback(
    (query: string) =>
      slides.filter((item) =>
        `${item.name} ${item.donor ?? ""} ${item.file}`.toLowerCase().includes(query.toLowerCase()),
      ),
    [slides],
  );
  return (
    <div class="slide-choice">
      <div class="stack">
        {slides.length > 0 && (
          <Combobox
            label={t("predict.choose_slide")}
            placeholder={t("predict.slide_hint")}
            load={load}
            optionKey={(item) => item.id}
            optionText={(item) => item.name}
            render={(item) => (
              <span class="slide-option">
                <Thumbnail item={item} max_px={64} />
                <span>
                  {item.name} <span class="muted small">{item.file}</span>
                </span>
              </span>
            )}
            chosen={chosen}
            onChoose={onChoose}
          />
        )}
        {slides.length > 0 && <p class="or muted small">{t("predict.or")}</p>}
        <Drop limit={limit} onUpload={onUpload} />
      </div>
      {chosen && <Chosen item={chosen} />}
    </div>
  );
}

function Chosen({ item }: { item: Item }) {
  return (
    <figure class="chosen">
      <Thumbnail item={item} max_px={512} />
      <figcaption class="small">
        <strong>{item.name}</strong>
        <br />
        <span class="muted">{pixels(item)}</span>
      </figcaption>
    </figure>
  );
}

function Drop({ limit, onUpload }: { limit: number | null; onUpload: (item: Item) => void }) {
  const field = useRef<HTMLInputElement>(null);
  const stop = useRef<AbortController | null>(null);
  const [over, setOver] = useState(false);
  const [sending, setSending] = useState<{ name: string; share: number } | null>(null);
  const [error, setError] = useState<ApiError | null>(null);

  const take = async (file: File | undefined) => {
    if (!file) return;
    setError(null);
    if (limit !== null && file.size > limit) {
      const what = t("predict.too_big", { name: file.name, size: bytes(file.size), limit: bytes(limit) });
      setError(new ApiError(what, file.name, t("predict.too_big_todo")));
      return;
    }
    stop.current = new AbortController();
    setSending({ name: file.name, share: 0 });
    try {
      const send = (share: number) => setSending({ name: file.name, share });
      const { item } = await upload<{ item: Item }>("uploads", file, send, stop.current.signal);
      onUpload(item);
    } catch (err) {
      if (!stop.current.signal.aborted) setError(asApiError(err));
    } finally {
      setSending(null);
      if (field.current) field.current.value = ""; // the same file may be tried again
    }
  };

  return (
    <>
      <div
        class={over ? "drop over" : "drop"}
        onDragOver={(event) => {
          event.preventDefault();
          setOver(true);
        }}
        onDragLeave={() => setOver(false)}
        onDrop={(event) => {
          event.preventDefault();
          setOver(false);
          void take(event.dataTransfer?.files[0]);
        }}
      >
        {sending ? (
          <div class="stack sending">
            <p aria-live="polite">
              {t("predict.uploading", { name: sending.name, percent: Math.round(sending.share * 100) })}
            </p>
            <Progress label={sending.name} done={sending.share} total={1} />
            <button type="button" onClick={() => stop.current?.abort()}>
              {t("action.cancel")}
            </button>
          </div>
        ) : (
          <>
            <Icon name="upload" size={22} />
            <p>{t("predict.drop")}</p>
            <button type="button" onClick={() => field.current?.click()}>
              {t("predict.browse")}
            </button>
            {limit !== null && <p class="muted small">{t("predict.limit", { size: bytes(limit) })}</p>}
          </>
        )}
        <input
          ref={field}
          type="file"
          hidden
          aria-label={t("predict.browse")}
          onChange={(event) => void take(event.currentTarget.files?.[0])}
        />
      </div>
      {error && <ErrorState error={error} />}
    </>
  );
}
