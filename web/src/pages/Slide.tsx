/** A slide with what is measured and predicted on it. */
import type { ComponentChildren } from "preact";
import { useCallback, useEffect, useMemo, useState } from "preact/hooks";
import { asApiError, part, useApi } from "../api";
import { Dialog } from "../components/Dialog";
import { Said } from "../components/Said";
import { EmptyState, ErrorState, Loading } from "../components/states";
import { num, t } from "../i18n";
import { Link } from "../router";
import { useTitle } from "../title";
import type { ItemDetail } from "../types";
import { fetchAhead, fetchAround } from "../viewer/ahead";
import { forgetValues } from "../viewer/data";
import { forgetGenes, neighbour } from "../viewer/genes";
import { saveFigure } from "../viewer/saveFigure";
import { plansOf } from "../viewer/plans";
import { carry, together } from "../viewer/registered";
import type { Tool } from "../viewer/tool";
import { ExportDialog } from "../viewer/ui/ExportDialog";
import { GenePicker, useGene } from "../viewer/ui/GenePicker";
import { GroupsPanel, PartsLegend } from "../viewer/ui/GroupsPanel";
import { OpacityControl, ScalePanel } from "../viewer/ui/ScalePanel";
import { goTo, SectionStepper, useDetails, useSections } from "../viewer/ui/Sections";
import { SelectionPanel } from "../viewer/ui/SelectionPanel";
import { ShowPanel } from "../viewer/ui/ShowPanel";
import { StackPanel } from "../viewer/ui/StackPanel";
import { StageView, type StageHandle } from "../viewer/ui/StageView";
import { KEYS, Toolbar } from "../viewer/ui/Toolbar";
import { useKeys } from "../viewer/useKeys";
import { useScene, useSelected } from "../viewer/useScene";
import { useView } from "../viewer/useView";
import "../viewer/viewer.css";
import "../viewer/ui/controls.css";
import "../viewer/ui/stack.css";
import "../viewer/ui/scale.css";
import "../viewer/ui/groups.css";
import "../viewer/ui/stage.css";
import "../viewer/ui/over.css";
import "../viewer/ui/dialogs.css";

const AGAIN_MS = 2_000;

export function Slide({ id }: { id: string }) {
  const { data, error, loading, reload } = useApi<ItemDetail>(`items/${part(id)}`);
  useTitle(data?.name ?? t("slide.title"));
  useEffect(() => forgetGenes, []);
  useEffect(() => {
    // A prediction of this slide may still be opening: its layers join when it is there.
    const again = () => {
      forgetGenes();
      forgetValues();
      reload();
    };
    const timer = data?.opening_others ? setTimeout(again, AGAIN_MS) : 0;
    return () => clearTimeout(timer);
  }, [data]);
  if (error) {
    return (
      <div class="page">
        <ErrorState error={error} retry={reload} />
        <Link href="/">{t("slide.all")}</Link>
      </div>
    );
  }
  // The stage stays from section to section of a registered stack.
  const stacked = data?.place && data.sections_of_stack.some((section) => section.id === id);
  if (!data || (loading && data.id !== id && !stacked)) {
    return <Loading />;
  }
  return <Viewer key={(data.place && data.stack) ?? data.id} given={data} />;
}

function Viewer({ given }: { given: ItemDetail }) {
  const [fanned, setFanned] = useState(false);
  const sections = useSections(given);
  const details = useDetails(given, sections, fanned);
  const item = details.find((one) => one.id === given.id) ?? given;
  const { state, change, noteView } = useView(item);
  const [handle, setHandle] = useState<StageHandle | null>(null);
  const [failed, setFailed] = useState(false);
  const [tool, setTool] = useState<Tool>("pan");
  const [dialog, setDialog] = useState<"export" | "keys" | null>(null);
  useEffect(() => setFanned(state.mode === "sections"), [state.mode]);
  const plans = useMemo(() => plansOf(item, state, details), [item, state.by, state.mode, state.layers, state.swipe, details]);
  // The first picture does not wait for the other sections of its stack; the range that they share follows.
  const [first, setFirst] = useState(true);
  const references = useMemo(() => (item.place && details.length && !first ? details : [item]), [item, details, first]);
  const { painted, error, retry } = useScene(handle, plans, state, references);
  useEffect(() => {
    setFirst((before) => before && !painted?.gene);
  }, [painted]);
  useEffect(() => {
    if (painted?.gene && state.by.kind === "gene") {
      fetchAround(plans, item.id, painted.gene);
    }
  }, [painted?.gene, plans]);
  const others = useMemo(() => plans.map((plan) => plan.item).filter((one) => one.id !== item.id && together(one, item)), [plans, item]);
  const selected = useSelected(handle, item, others, state, painted);
  const about = useGene(item.id, state.gene);
  const layer = state.by.kind === "gene" ? (plans[0]?.layer ?? null) : (state.layers[0] ?? null);

  const step = useCallback(
    (by: number) => {
      neighbour(item.id, state.gene, by).then(
        (gene) => gene && change({ gene, by: { kind: "gene" } }),
        () => undefined, // the list's own request says what is wrong
      );
    },
    [item, state.gene],
  );
  useEffect(() => {
    if (state.gene === null && item.layers.length > 0) {
      neighbour(item.id, null, 1).then((gene) => gene && change({ gene }), () => undefined);
    }
  }, [item]);
  useEffect(() => {
    if (handle) {
      handle.outline.onDone = (polygon, panel) => {
        const drawn = plans.find((plan) => plan.panel === panel)?.item ?? item;
        change({ selection: { polygon: polygon.map((point) => carry(point, drawn, item)) } });
        setTool("pan");
        // Its marker genes appear among the controls, which may be scrolled elsewhere.
        requestAnimationFrame(() => document.getElementById("selection")?.scrollIntoView({ block: "start" }));
      };
    }
  }, [handle, plans, item]);
  useEffect(() => {
    if (handle && state.view) {
      handle.stage.show(state.view, item);
    }
  }, [handle, item.id]);
  const go = (id: string) => goTo(item, id, state, details, handle?.stage.viewOf(item) ?? null);
  const section = (by: number) => {
    const at = sections.findIndex((one) => one.id === item.id);
    const next = sections[(at + by + sections.length) % sections.length];
    if (next && next.id !== item.id) {
      go(next.id);
    }
  };
  useKeys(handle, item, state, tool, { step, section, tool: setTool, change, show: setDialog });

  const category = item.categories.find((one) => state.by.kind === "category" && one.key === state.by.key) ?? item.categories[0];
  const setGene = (gene: string) => change({ gene, by: { kind: "gene" } });
  return (
    <div class="viewer">
      <aside class="controls" aria-label={t("slide.controls")}>
        <Head item={item} />
        {item.place ? <StackPanel item={item} sections={sections} onGo={go} /> : <SectionStepper item={item} sections={sections} onGo={go} />}
        {item.layers.length > 0 && <GenePicker item={item.id} gene={state.gene} about={about} onGene={setGene} onPoint={(name) => fetchAhead(plans, [name])} onStep={step} />}
        {item.observations ? (
          <ShowPanel item={item} state={state} sections={sections.length} onChange={change} />
        ) : (
          <EmptyState title={t("slide.empty")}>
            <Link href={`/predict?item=${part(item.id)}`} class="button primary">
              {t("slide.empty_todo")}
            </Link>
          </EmptyState>
        )}
        {state.by.kind === "gene" && layer && (
          <Part title={t("slide.colours")}>
            <ScalePanel state={state} layer={layer} vectors={painted?.reference ?? {}} several={plans.length > 1} onChange={change} />
          </Part>
        )}
        {item.observations && <OpacityControl opacity={state.opacity} onOpacity={(opacity) => change({ opacity })} />}
        {category && (
          <Part title={t("slide.groups")}>
            <GroupsPanel
              item={item}
              category={category}
              gene={state.gene}
              layer={layer}
              selection={state.selection}
              onSelect={(selection) => change({ selection })}
            />
          </Part>
        )}
        {state.by.kind === "composition" && item.composition && (
          <Part title={t("slide.parts")}>
            <PartsLegend {...item.composition} />
          </Part>
        )}
        {item.observations && (
          <Part id="selection" title={t("slide.selection")}>
            <SelectionPanel item={item} indices={selected} layer={layer} gene={state.gene} onGene={setGene} onClear={() => change({ selection: null })} />
          </Part>
        )}
        {item.notes.length > 0 && (
          <details class="notes" open={item.slide === null}>
            <summary>{t("slide.notes")}</summary>
            <ul>
              {item.notes.map((note) => (
                <li key={note}>
                  <Said text={note} />
                </li>
              ))}
            </ul>
          </details>
        )}
      </aside>
      <div class="stage-frame">
        <StageView
          item={item}
          plans={plans}
          state={state}
          painted={painted}
          tool={tool}
          polygon={state.selection && "polygon" in state.selection ? state.selection.polygon : null}
          onReady={setHandle}
          onFailed={() => setFailed(true)}
          onView={noteView}
          onSwipe={(swipe) => change({ swipe })}
        />
        {handle && (
          <Toolbar
            stage={handle.stage}
            tool={tool}
            selectable={item.observations !== null}
            onTool={setTool}
            onExport={() => setDialog("export")}
            onKeys={() => setDialog("keys")}
          />
        )}
        {(error || failed) && (
          <div class="stage-error" data-over>
            <ErrorState
              error={failed || !error ? { what: t("slide.no_webgl"), where: navigator.userAgent, todo: t("slide.no_webgl_todo") } : error}
              {...(failed ? {} : { retry })}
            />
          </div>
        )}
      </div>
      {dialog === "keys" && <KeysDialog onClose={() => setDialog(null)} />}
      {dialog === "export" && (
        <ExportDialog
          item={item}
          gene={state.gene}
          layer={layer}
          indices={selected}
          onFigure={async (format) => {
            if (handle && painted) {
              await saveFigure(format, item, handle.stage, plans, state, painted, about?.trust ?? null).catch((err) => {
                throw asApiError(err);
              });
            }
          }}
          onClose={() => setDialog(null)}
        />
      )}
    </div>
  );
}

function Head({ item }: { item: ItemDetail }) {
  const facts = [
    t(`slide.kind_${item.kind}`),
    item.donor && t("slide.donor", { name: item.donor }),
    item.observations && t("slide.observations", { n: item.observations.n }),
    item.n_genes ? t("slide.genes", { n: item.n_genes }) : null,
    item.mpp ? `${num(item.mpp, { maximumFractionDigits: 3 })} µm/px` : t("slide.no_scale"),
    item.slide ? null : t("slide.no_image"),
  ];
  return (
    <header class="item-head">
      <h1>{item.name}</h1>
      <p>{facts.filter(Boolean).join(" · ")}</p>
    </header>
  );
}

function Part({ id, title, children }: { id?: string; title: string; children: ComponentChildren }) {
  return (
    <section class="part" id={id}>
      <h2>{title}</h2>
      {children}
    </section>
  );
}

function KeysDialog({ onClose }: { onClose: () => void }) {
  return (
    <Dialog title={t("slide.keys")} onClose={onClose}>
      <dl class="keys">
        {KEYS.map(([keys, what]) => (
          <div key={what}>
            <dt>
              <kbd>{keys}</kbd>
            </dt>
            <dd>{t(what)}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
