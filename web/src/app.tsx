/** The frame of every page: bar, language, theme, and which page is shown. */
import { lazy, Suspense } from "preact/compat";
import type { ComponentType } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { Bar } from "./components/Bar";
import { Boundary } from "./components/Boundary";
import { Loading } from "./components/states";
import { t, useLang } from "./i18n";
import { Board } from "./pages/Board";
import { Boards } from "./pages/Boards";
import { Dataset } from "./pages/Dataset";
import { Datasets } from "./pages/Datasets";
import { Home } from "./pages/Home";
import { Jobs } from "./pages/Jobs";
import { NotFound } from "./pages/NotFound";
import { Paper } from "./pages/Paper";
import { Papers } from "./pages/Papers";
import { Predict } from "./pages/Predict";
import { match, usePlace } from "./router";

const viewer = () => import("./pages/Slide");
const Slide = lazy(() => viewer().then((module) => ({ default: module.Slide })));
// Where the address is a slide's, its page and what it asks for first are on their way before anything is drawn.
const opened = /^\/slide\/([0-9a-f]+)/.exec(location.pathname)?.[1];
if (opened) {
  void viewer();
  const early = { rel: "preload", as: "fetch", crossOrigin: "anonymous", href: `/api/items/${opened}` };
  document.head.append(Object.assign(document.createElement("link"), early));
}

type Page = ComponentType<any>;

/** Path to page; a page gets the named parts of its path as props (`key` itself is the library's word). */
const ROUTES: [string, Page][] = [
  ["/", Home],
  ["/slide/:id", Slide],
  ["/predict", Predict],
  ["/jobs", Jobs],
  ["/boards", Boards],
  ["/boards/:id", Board],
  ["/papers", Papers],
  ["/papers/:key_", Paper],
  ["/datasets", Datasets],
  ["/datasets/:key_", Dataset],
];

function choose(path: string): [Page, Record<string, string>] {
  for (const [pattern, page] of ROUTES) {
    const parts = match(pattern, path);
    if (parts) return [page, parts];
  }
  return [NotFound, {}];
}

export function App() {
  const { path } = usePlace();
  const here = useLang();
  const main = useRef<HTMLElement>(null);
  const first = useRef(true);
  const [Shown, parts] = choose(path);

  // A screen reader goes on at the new page, not at the link that was left.
  useEffect(() => {
    if (first.current) first.current = false;
    else main.current?.focus({ preventScroll: true });
  }, [path]);

  return (
    <div class="frame" data-lang={here}>
      <a class="skip" href="#main" onClick={() => main.current?.focus()}>
        {t("nav.skip")}
      </a>
      <Bar path={path} />
      <main id="main" ref={main} tabIndex={-1}>
        <Boundary key={path}>
          <Suspense fallback={<Loading />}>
            <Shown {...parts} />
          </Suspense>
        </Boundary>
      </main>
    </div>
  );
}
