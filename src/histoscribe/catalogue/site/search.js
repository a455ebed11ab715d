// The start page: search, filters, results, selection. Reads what data.js and words.js set.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const H = window.HistoScribe;
  const { papers, datasets, weights, named, stop } = window.HISTOSCRIBE_DATA;
  const { terms } = window.HISTOSCRIBE_WORDS;
  const $ = (id) => document.getElementById(id);
  const STOP = new Set(stop);
  const PAGE = 40;
  const CJK = /[\u3400-\u9fff]/;

  // --- words: the same folding as `papers search` -------------------------------------------------------------------
  const wordsOf = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase().match(/[\p{L}\p{N}]+/gu) || [];
  const singular = (w) => (w.length > 3 && w.endsWith("s") && !/(ss|us|is)$/.test(w) ? w.slice(0, -1) : w);
  const fold = (text) => wordsOf(text).map(singular).join(" ");
  const stem = (w) => {
    const short = w.replace(/(?:ations?|ating|ates?|ated|ions?|ings?|ively|ive|ed|es|s|e)$/, "");
    return short.length >= 4 ? short : w;
  };

  const phrases = new Map();
  for (const [facet, entries] of Object.entries(terms)) {
    for (const [key, [en, zh, , ...aliases]] of Object.entries(entries)) {
      for (const name of new Set([key, en, zh, ...aliases].map(fold))) {
        if (!name) continue;
        if (!phrases.has(name)) phrases.set(name, []);
        phrases.get(name).push(facet + ":" + key);
      }
    }
  }
  const names = [...phrases.keys()];
  const longestWords = Math.max(...names.filter((n) => !CJK.test(n)).map((n) => n.split(" ").length));
  const longestSigns = Math.max(...names.filter((n) => CJK.test(n)).map((n) => n.length));

  // A query becomes parts: a set of terms, a word, the beginning of a word, or quoted text.
  function parse(query) {
    const parts = [];
    const rest = query.replace(/"([^"]+)"/g, (_, text) => { parts.push({ exact: wordsOf(text).join(" ") }); return " "; });
    const left = [];
    for (const chunk of rest.match(/[\u3400-\u9fff]+|[^\u3400-\u9fff]+/g) || []) {
      if (CJK.test(chunk)) parseChinese(chunk, parts);
      else parseWords(chunk, parts, left);
    }
    const open = left.length && !/[\s"]$/.test(query) ? left[left.length - 1] : null;
    for (const word of left) {
      if (!STOP.has(word) || left.length === 1) parts.push({ word, stem: stem(word), open: word === open && word.length > 1 });
    }
    return parts;
  }

  function parseWords(chunk, parts, left) {
    const words = wordsOf(chunk);
    const folded = words.map(singular);
    for (let at = 0; at < words.length;) {
      let n = Math.min(longestWords, words.length - at);
      while (n > 0 && !phrases.has(folded.slice(at, at + n).join(" "))) n -= 1;
      if (n) parts.push({ terms: phrases.get(folded.slice(at, at + n).join(" ")) });
      else left.push(words[at]);
      at += n || 1;
    }
  }

  function parseChinese(chunk, parts) {
    let unknown = "";
    for (let at = 0; at < chunk.length;) {
      let n = Math.min(longestSigns, chunk.length - at);
      while (n > 0 && !phrases.has(chunk.slice(at, at + n))) n -= 1;
      if (n) parts.push({ terms: phrases.get(chunk.slice(at, at + n)) });
      else if (!"的和与及从到用中在".includes(chunk[at])) unknown += chunk[at];
      at += n || 1;
    }
    if (unknown) parts.push({ exact: unknown });
  }

  // --- index --------------------------------------------------------------------------------------------------------
  const fieldNames = Object.keys(weights);
  const label = (facet) => { const [kind, key] = facet.split(":"); return ((terms[kind] || {})[key] || []).slice(0, 2).join(" "); };
  function prepare(record) {
    const text = { ...record.text, terms: record.facets.map(label).join(" ") };
    record.fields = fieldNames.map((name) => {
      const words = wordsOf(text[name] || "");
      return { weight: weights[name], words, stems: new Set(words.map(stem)), plain: " " + words.join(" ") + " ", n: words.length };
    });
    record.has = new Set(record.facets);
    record.calls = new Set((record.text.names || "").toLowerCase().split(" ").concat((record.method || record.title).toLowerCase()));
  }
  const all = [...papers, ...datasets];
  all.forEach(prepare);
  const usual = fieldNames.map((_, f) => Math.max(1, all.reduce((sum, r) => sum + r.fields[f].n, 0) / all.length));

  function met(record, part) {
    if (part.terms) return part.terms.some((t) => record.has.has(t)) ? weights.terms : 0;
    let worth = 0;
    record.fields.forEach((field, f) => {
      const hit = part.exact !== undefined ? field.plain.includes(CJK.test(part.exact) ? part.exact : ` ${part.exact} `)
        : field.stems.has(part.stem) || (part.open && field.words.some((w) => w.startsWith(part.word)));
      if (hit) worth += field.weight / (0.6 + 0.4 * field.n / usual[f]);
    });
    return worth;
  }

  // Records that meet every part, or, where there are none, any part.
  function find(records, query) {
    const parts = parse(query);
    if (!parts.length) return { hits: records.map((record) => ({ record, score: record.boost })), partly: false };
    const table = parts.map((part) => all.reduce((n, r) => n + (met(r, part) > 0 ? 1 : 0), 0));
    const rarity = table.map((n) => Math.log(1 + all.length / (n + 0.5)));
    const who = query.trim().toLowerCase();
    const scored = records.map((record) => {
      const got = parts.map((part) => met(record, part));
      const score = got.reduce((sum, worth, at) => sum + worth * rarity[at], 0);
      return { record, all: got.every(Boolean), score: score && score + record.boost + (record.calls.has(who) ? named : 0) };
    });
    const strict = scored.filter((s) => s.all);
    return strict.length ? { hits: strict, partly: false } : { hits: scored.filter((s) => s.score > 0), partly: parts.length > 1 };
  }

  // --- state: what the address says ----------------------------------------------------------------------------------
  const FACETS = [
    { key: "task", open: true, values: (p) => pick(p, "task"), label: (v) => H.term("task", v) },
    { key: "level", open: true, values: (p) => Array.from({ length: p.level }, (_, n) => String(n + 1)), one: true,
      fixed: ["1", "2", "3", "4", "5", "6"], label: (v) => `${v} ${H.say("rung_" + v)}` },
    { key: "year", open: true },
    { key: "licence", values: (p) => [p.code ? p.group : null].filter(Boolean), label: (v) => H.say("licence_" + v),
      fixed: ["permissive", "copyleft", "non-commercial", "other", "none", "unknown"] },
    { key: "data", values: (p) => pick(p, "dataset"), label: (v) => (datasets.find((d) => d.id === v) || { title: v }).title },
    { key: "platform", values: (p) => pick(p, "platform"), label: (v) => H.term("platform", v) },
    { key: "organ", values: (p) => pick(p, "organ"), label: (v) => H.term("organ", v) },
    { key: "approach", values: (p) => pick(p, "approach"), label: (v) => H.term("approach", v) },
    { key: "role", values: (p) => [p.role], label: (v) => H.say("role_" + v), fixed: ["core", "related", "background"] },
    { key: "status", values: (p) => [p.status], label: (v) => H.say("status_" + v), fixed: ["published", "preprint", "unknown", "retracted"] },
  ];
  function pick(paper, facet) {
    return paper.facets.filter((f) => f.startsWith(facet + ":")).map((f) => f.slice(facet.length + 1));
  }
  const listed = FACETS.filter((f) => f.values);
  const SORTS = ["relevance", "newest", "oldest", "title", "level"];
  let state = {};
  let shown = PAGE;
  let current = [];

  function read() {
    const given = H.params();
    const year = (name) => (/^\d{4}$/.test(given.get(name) || "") ? given.get(name) : "");
    state = { q: given.get("q") || "", from: year("from"), to: year("to"), sort: SORTS.includes(given.get("sort")) ? given.get("sort") : "relevance" };
    for (const { key, one } of listed) {
      const values = (given.get(key) || "").split(",").filter(Boolean);
      state[key] = one ? values.slice(0, 1) : values;
    }
    $("q").value = state.q;
    $("sort").value = state.sort;
  }

  function write() {
    const search = new URLSearchParams();
    if (state.q.trim()) search.set("q", state.q.trim());
    for (const { key } of listed) if (state[key].length) search.set(key, state[key].join(","));
    for (const key of ["from", "to"]) if (state[key]) search.set(key, state[key]);
    if (state.sort !== "relevance") search.set("sort", state.sort);
    H.withChoice(search);
    history.replaceState(null, "", "#" + search);
  }

  const within = (p) => (!state.from || p.year >= +state.from) && (!state.to || (p.year && p.year <= +state.to));
  const meets = (p, facet) => !state[facet.key].length || state[facet.key].some((v) => facet.values(p).includes(v));
  const passes = (p, except) => (except === "year" || within(p)) && listed.every((f) => f.key === except || meets(p, f));

  // --- results --------------------------------------------------------------------------------------------------------
  const ORDER = {
    relevance: (a, b) => b.score - a.score || (b.record.year || 0) - (a.record.year || 0),
    newest: (a, b) => (b.record.year || 0) - (a.record.year || 0) || b.score - a.score,
    oldest: (a, b) => (a.record.year || 9999) - (b.record.year || 9999) || b.score - a.score,
    title: (a, b) => a.record.title.localeCompare(b.record.title, "en"),
    level: (a, b) => b.record.level - a.record.level || b.score - a.score,
  };

  function element(tag, more = {}, ...children) {
    const made = document.createElement(tag);
    for (const [key, value] of Object.entries(more)) {
      if (key in made && key !== "list") made[key] = value;
      else made.setAttribute(key, value);
    }
    made.append(...children.filter((c) => c !== null && c !== undefined && c !== ""));
    return made;
  }

  function update() {
    const { hits, partly } = find(papers, state.q);
    const found = hits.map((h) => h.record);
    current = hits.filter((h) => passes(h.record)).sort((a, b) => ORDER[state.sort](a, b) || (a.record.id < b.record.id ? -1 : 1));
    const n = current.length;
    $("found").textContent = n ? H.say(partly ? "n_any" : "n_papers", { n }) : H.say("nothing");
    $("found").dataset.n = n;
    drawFilters(found);
    drawActive();
    drawAlso();
    drawResults();
    drawSelection();
  }

  function drawResults() {
    $("results").replaceChildren(...current.slice(0, shown).map(({ record }) => result(record)));
    $("more").hidden = current.length <= shown;
    H.carry($("results"));
  }

  function result(p) {
    const box = element("input", { type: "checkbox", checked: selected.has(p.id) });
    box.setAttribute("aria-label", H.say("select_paper", { name: p.method || p.title }));
    box.addEventListener("change", () => toggle(p.id, box.checked));
    const title = element("a", { href: `paper/${p.id}.html`, className: "title", lang: "en" }, p.title);
    const where = element("p", { className: "under" });
    if (p.method) where.append(element("b", { lang: "en" }, p.method), " · ");
    where.append([p.venue, p.year].filter(Boolean).join(" "));
    if (p.status !== "published") where.append(" · ", element("span", { className: "tag " + p.status }, H.say("status_" + p.status)));
    if (p.founding) where.append(" · ", element("span", { className: "tag founding" }, H.say("founding")));
    const chips = element("p", { className: "chips" }, ...p.tasks.map((t) => element("a", { href: "#task=" + t, className: "chip" }, H.term("task", t))));
    const side = element("div", { className: "side" }, levelBadge(p.level));
    if (p.licence && p.licence !== "none") side.append(element("span", { className: "soft" }, p.licence));
    if (p.code) side.append(element("a", { href: p.code }, H.say("code")));
    return element("li", {}, element("label", { className: "pick" }, box), element("div", { className: "what" }, title, where, chips), side);
  }

  const levelBadge = (level) => element("span", { className: "level l" + level }, H.say("badge_" + level));

  function drawAlso() {
    const hits = state.q.trim() ? find(datasets, state.q) : { hits: [], partly: true };
    const best = hits.partly ? [] : hits.hits.sort((a, b) => b.score - a.score).slice(0, 6);
    $("also").hidden = !best.length;
    $("also").replaceChildren(H.say("also_datasets"), ...best.flatMap(({ record }) => [" ", element("a", { href: `dataset/${record.id}.html`, className: "chip" }, record.title)]));
    H.carry($("also"));
  }

  // --- filters --------------------------------------------------------------------------------------------------------
  const groups = new Map();

  function drawFilters(found) {
    for (const facet of FACETS) {
      if (!groups.has(facet.key)) {
        const body = element("div", { className: "options" });
        const head = element("summary");
        const group = element("details", { open: Boolean(facet.open) || chosen(facet) }, head, body);
        groups.set(facet.key, { group, head, body });
        $("filters").append(group);
      }
      const { head, body } = groups.get(facet.key);
      head.textContent = H.say("facet_" + facet.key);
      const focus = document.activeElement && body.contains(document.activeElement) ? document.activeElement.dataset.value : null;
      body.replaceChildren(...(facet.values ? options(facet, found) : years(found)));
      // The option that was just used keeps the keyboard.
      if (focus) body.querySelector(`[data-value="${CSS.escape(focus)}"]`)?.focus();
    }
  }

  const chosen = (facet) => (facet.values ? state[facet.key].length > 0 : Boolean(state.from || state.to));

  function options(facet, found) {
    const counts = new Map();
    for (const p of found) if (passes(p, facet.key)) for (const v of facet.values(p)) counts.set(v, (counts.get(v) || 0) + 1);
    const everywhere = new Map();
    for (const p of papers) for (const v of facet.values(p)) everywhere.set(v, (everywhere.get(v) || 0) + 1);
    const known = facet.fixed ? facet.fixed.filter((v) => everywhere.has(v) || facet.one)
      : [...everywhere.keys()].sort((a, b) => everywhere.get(b) - everywhere.get(a) || a.localeCompare(b));
    const rows = known.map((value) => option(facet, value, facet.label(value), counts.get(value) || 0));
    if (facet.one) rows.unshift(option(facet, "", H.say("level_any"), null));
    return rows;
  }

  function option(facet, value, text, n) {
    const checked = facet.one ? (state[facet.key][0] || "") === value : state[facet.key].includes(value);
    const box = element("input", { type: facet.one ? "radio" : "checkbox", name: "f-" + facet.key, checked });
    box.dataset.value = value || "any";
    box.addEventListener("change", () => {
      if (facet.one) state[facet.key] = value ? [value] : [];
      else state[facet.key] = box.checked ? [...state[facet.key], value] : state[facet.key].filter((v) => v !== value);
      changed();
    });
    const count = n === null ? "" : element("span", { className: "n" }, String(n));
    return element("label", { className: n === 0 && !checked ? "option empty" : "option" }, box, element("span", {}, text), count);
  }

  function years(found) {
    const counts = new Map();
    for (const p of found) if (p.year && passes(p, "year")) counts.set(p.year, (counts.get(p.year) || 0) + 1);
    const known = [...new Set(papers.map((p) => p.year).filter(Boolean))].sort();
    const last = known[known.length - 1];
    const recent = Array.from({ length: 10 }, (_, n) => last - 9 + n);
    const most = Math.max(1, ...recent.map((y) => counts.get(y) || 0));
    const bars = element("div", { className: "years" }, ...recent.map((year) => {
      const n = counts.get(year) || 0;
      const on = within({ year });
      const bar = element("button", { type: "button", className: on ? "on" : "", title: `${year}: ${n}` }, element("i"), String(year).slice(2));
      bar.firstChild.style.height = `${Math.round(4 + 44 * n / most)}px`;
      bar.setAttribute("aria-label", `${year}: ${n}`);
      bar.setAttribute("aria-pressed", String(state.from === String(year) && state.to === String(year)));
      bar.dataset.value = "bar" + year;
      bar.addEventListener("click", () => {
        const only = state.from === String(year) && state.to === String(year);
        state.from = state.to = only ? "" : String(year);
        changed();
      });
      return bar;
    }));
    const select = (name) => {
      const list = element("select", {}, element("option", { value: "" }, H.say("any")), ...known.map((y) => element("option", { value: String(y) }, String(y))));
      list.value = state[name];
      list.dataset.value = name;
      list.addEventListener("change", () => { state[name] = list.value; changed(); });
      return element("label", {}, H.say("year_" + name) + " ", list);
    };
    return [bars, element("div", { className: "range" }, select("from"), select("to"))];
  }

  function drawActive() {
    const chips = [];
    const chip = (text, off) => {
      const button = element("button", { type: "button", className: "chip on" }, text, element("span", { ariaHidden: "true" }, " ×"));
      button.setAttribute("aria-label", H.say("remove", { name: text }));
      button.addEventListener("click", () => { off(); changed(); });
      chips.push(button);
    };
    for (const facet of listed) {
      for (const value of state[facet.key]) chip((facet.one ? "≥ " : "") + facet.label(value), () => { state[facet.key] = state[facet.key].filter((v) => v !== value); });
    }
    if (state.from || state.to) chip(state.from === state.to ? state.from : `${state.from || "…"}–${state.to || "…"}`, () => { state.from = state.to = ""; });
    const some = chips.length || state.q.trim();
    if (some) {
      const clear = element("button", { type: "button", className: "quiet" }, H.say("clear_all"));
      clear.addEventListener("click", clearAll);
      chips.push(clear);
      if (current.length) {
        const every = element("button", { type: "button", className: "quiet", id: "select-all" }, H.say("select_all", { n: current.length }));
        every.addEventListener("click", () => { current.forEach(({ record }) => selected.add(record.id)); keep(); drawResults(); drawSelection(); });
        chips.push(every);
      }
    }
    $("active").replaceChildren(...chips);
  }

  function clearAll() {
    history.replaceState(null, "", "#" + H.withChoice(new URLSearchParams()));
    read();
    changed();
    $("q").focus();
  }

  function changed() {
    shown = PAGE;
    write();
    update();
  }

  // --- selection --------------------------------------------------------------------------------------------------------
  const byId = new Map(papers.map((p) => [p.id, p]));
  const selected = new Set((H.store.get("selected") || "").split(",").filter((id) => byId.has(id)));
  const keep = () => H.store.set("selected", [...selected].join(","));
  const bibtex = () => [...selected].sort().map((id) => byId.get(id).bibtex).join("\n");

  function toggle(id, on) {
    if (on) selected.add(id);
    else selected.delete(id);
    keep();
    drawSelection();
  }

  function drawSelection() {
    $("selection").hidden = !selected.size;
    $("selected").textContent = H.say("n_selected", { n: selected.size });
    document.body.classList.toggle("selecting", selected.size > 0);
  }

  $("copy-selected").addEventListener("click", async () => { if (await H.copy(bibtex())) H.flash($("copy-selected")); });
  $("download-selected").addEventListener("click", () => {
    const address = URL.createObjectURL(new Blob([bibtex()], { type: "application/x-bibtex" }));
    element("a", { href: address, download: "histoscribe.bib" }).click();
    setTimeout(() => URL.revokeObjectURL(address), 1000);
  });
  $("clear-selected").addEventListener("click", () => { selected.clear(); keep(); drawResults(); drawSelection(); $("q").focus(); });

  // --- events ------------------------------------------------------------------------------------------------------------
  let waiting = 0;
  $("q").addEventListener("input", () => {
    state.q = $("q").value;
    clearTimeout(waiting);
    waiting = setTimeout(changed, 60);
  });
  $("search").addEventListener("submit", (event) => {
    event.preventDefault();
    clearTimeout(waiting);
    state.q = $("q").value;
    changed();
    $("results").querySelector("a.title")?.focus();
  });
  $("sort").addEventListener("change", () => { state.sort = $("sort").value; changed(); });
  $("more").addEventListener("click", () => {
    const at = shown;
    shown += PAGE;
    drawResults();
    $("results").children[at]?.querySelector("a.title").focus();
  });
  $("open-filters").addEventListener("click", () => {
    const open = $("filters").classList.toggle("open");
    $("open-filters").setAttribute("aria-expanded", String(open));
  });
  addEventListener("hashchange", () => { read(); shown = PAGE; update(); });

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const here = event.target;
    const inBox = here === $("q");
    if (event.key === "/" && !H.typing(here)) {
      event.preventDefault();
      $("q").focus();
      $("q").select();
    } else if (event.key === "Escape") {
      if (inBox && $("q").value) { $("q").value = state.q = ""; changed(); }
      else if (inBox) $("q").blur();
      else $("q").focus();
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      const links = [...$("results").querySelectorAll("a.title")];
      const at = links.indexOf(here.closest("li")?.querySelector("a.title"));
      // Elsewhere the arrows scroll or change a list, as everywhere.
      if (!inBox && (at < 0 || !$("results").contains(here))) return;
      event.preventDefault();
      const next = event.key === "ArrowDown" ? at + 1 : at - 1;
      if (next < 0) $("q").focus();
      else links[Math.min(next, links.length - 1)]?.focus();
    } else if (event.key === "x" && $("results").contains(here)) {
      here.closest("li").querySelector("input").click();
    }
  });

  $("filters").hidden = $("open-filters").hidden = $("sort-label").hidden = false;
  document.querySelector(".keys").hidden = false;
  H.onTranslate(update);
  read();
  update();
});
