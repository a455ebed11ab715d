import { render } from "preact";
import { App } from "./app";
import { lang, showLang } from "./i18n";
import "./theme";
import "./theme.css";
import "./base.css";
import "./layout.css";
import "./components/components.css";
import "./components/json.css";
import "./pages/pages.css";
import "./pages/catalogue.css";
import "./pages/boards.css";

showLang(lang.get());

// The token that opens the studio beyond loopback is a cookie by now; keep it out of copied addresses.
const url = new URL(location.href);
if (url.searchParams.has("token")) {
  url.searchParams.delete("token");
  history.replaceState(null, "", url);
}

const root = document.getElementById("app");
if (root) render(<App />, root);
