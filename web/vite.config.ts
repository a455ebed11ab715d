import { defineConfig } from "vite";

// Where `npm run dev` finds the Python server: `histoscribe studio --port 8765 --no-browser`.
const server = process.env.HISTOSCRIBE_SERVER ?? "http://127.0.0.1:8765";

export default defineConfig({
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    outDir: "../src/histoscribe/studio/static",
    emptyOutDir: true,
    target: "es2022",
    sourcemap: false,
    modulePreload: { polyfill: false },
    license: { fileName: "licences.md" }, // of what is bundled: its notices travel with the package
    // The studio's policy (CSP) lets only files of the page itself load as fonts and styles.
    assetsInlineLimit: 0,
  },
  server: {
    host: "127.0.0.1",
    proxy: { "/api": { target: server, changeOrigin: true, headers: { origin: server } } },
  },
});
