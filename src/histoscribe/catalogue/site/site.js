// What every page needs: language, theme, copying, the way to the search. No library, no request.
"use strict";

window.HistoScribe = (() => {
  const root = document.documentElement;
  const base = root.dataset.root;

  // Some browsers give each file of a folder its own storage, so the choice also travels in the address.
  const store = {
    get(key) { try { return localStorage.getItem("histoscribe." + key); } catch { return null; } },
    set(key, value) { try { localStorage.setItem("histoscribe." + key, value); } catch { /* private window */ } },
  };
  const params = () => new URLSearchParams(location.hash.slice(1));

  let chosenLanguage = ["en", "zh"].find((l) => l === params().get("lang")) || store.get("lang");
  let chosenTheme = ["light", "dark"].find((t) => t === params().get("theme")) || store.get("theme");
  const preferred = (navigator.languages || [navigator.language || "en"])[0].toLowerCase().startsWith("zh") ? "zh" : "en";
  const language = () => chosenLanguage || preferred;
  const theme = () => chosenTheme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");

  // At once, before anything is painted.
  if (chosenTheme) root.dataset.theme = chosenTheme;
  root.lang = language() === "zh" ? "zh-Hans" : "en";

  const fill = (text, given) => text.replace(/\{(\w+)\}/g, (whole, name) => (name in given ? String(given[name]) : whole));

  function say(key, given = {}) {
    const words = window.HISTOSCRIBE_WORDS.words;
    const one = key + "_one";
    const entry = words[String(given.n) === "1" && words[one] ? one : key];
    return entry ? fill(entry[language()], given) : key;
  }

  function term(facet, key) {
    const entry = (window.HISTOSCRIBE_WORDS.terms[facet] || {})[key];
    return entry ? entry[language() === "zh" ? 1 : 0] : key;
  }

  const listeners = [];

  function translate() {
    root.lang = language() === "zh" ? "zh-Hans" : "en";
    const given = (element) => JSON.parse(element.dataset.a || "{}");
    for (const element of document.querySelectorAll("[data-t]")) element.textContent = say(element.dataset.t, given(element));
    for (const element of document.querySelectorAll("[data-v]")) {
      const [facet, key] = element.dataset.v.split(":");
      element.textContent = term(facet, key);
    }
    for (const name of ["aria-label", "placeholder", "title"]) {
      for (const element of document.querySelectorAll(`[data-t-${name}]`)) {
        element.setAttribute(name, say(element.getAttribute(`data-t-${name}`), given(element)));
      }
    }
    const button = document.getElementById("language");
    button.textContent = language() === "zh" ? "English" : "中文";
    button.lang = language() === "zh" ? "en" : "zh-Hans";
    for (const listener of listeners) listener();
    carry(document);
  }

  // Write a choice of language and theme into an address.
  function withChoice(search) {
    if (chosenLanguage) search.set("lang", chosenLanguage);
    if (chosenTheme) search.set("theme", chosenTheme);
    return search;
  }

  function carry(where) {
    if (!chosenLanguage && !chosenTheme) return;
    for (const link of where.querySelectorAll("a[href]")) {
      const address = link.getAttribute("href");
      if (/^[a-z]+:/i.test(address) || address === "#main") continue;
      const [path, hash] = address.split("#");
      link.setAttribute("href", path + "#" + withChoice(new URLSearchParams(hash || "")));
    }
  }

  function remember() {
    if (chosenLanguage) store.set("lang", chosenLanguage);
    if (chosenTheme) store.set("theme", chosenTheme);
    history.replaceState(null, "", "#" + withChoice(params()));
  }

  const voice = Object.assign(document.createElement("p"), { id: "heard", className: "heard" });
  voice.setAttribute("role", "status");
  const heard = (text) => { voice.textContent = text; };

  async function copy(text, shown) {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Older browsers, and some that open files from disk, only copy what is selected.
      const box = document.createElement("textarea");
      box.value = text;
      box.className = "heard";
      document.body.append(box);
      box.select();
      const done = document.execCommand("copy");
      box.remove();
      if (!done) {
        if (shown) getSelection().selectAllChildren(shown);
        heard(say("copy_failed"));
        return false;
      }
    }
    heard(say("copied"));
    return true;
  }

  function copyButton(button) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const source = document.getElementById(button.dataset.copy);
      if (await copy(source.textContent, source)) flash(button);
    });
  }

  function flash(button) {
    button.classList.add("done");
    setTimeout(() => button.classList.remove("done"), 1600);
  }

  // Lists of methods and data sets: hide the rows that lack a word.
  function narrow(box) {
    const rows = [...document.querySelectorAll(`#${box.dataset.rows} tbody tr`)];
    box.addEventListener("input", () => {
      const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
      let left = 0;
      for (const row of rows) {
        const text = row.textContent.toLowerCase();
        row.hidden = !words.every((word) => text.includes(word));
        left += row.hidden ? 0 : 1;
      }
      document.getElementById("rows-left").textContent = words.length ? say("n_left", { n: left, all: rows.length }) : "";
    });
  }

  // What does nothing without this script is not in the page's file.
  function searchBox(bar) {
    const form = document.createElement("form");
    form.className = "jump";
    form.setAttribute("role", "search");
    const box = document.createElement("input");
    Object.assign(box, { type: "search", name: "q", autocomplete: "off" });
    box.dataset.tPlaceholder = "jump";
    box.setAttribute("data-t-aria-label", "jump");
    form.append(box);
    bar.append(form);
    return form;
  }

  function switches(bar) {
    const both = document.createElement("div");
    both.className = "switches";
    const made = ["language", "theme"].map((id) => Object.assign(document.createElement("button"), { type: "button", id }));
    made[1].textContent = "◐";
    made[1].setAttribute("data-t-aria-label", "theme");
    both.append(...made);
    bar.append(both);
    return made;
  }

  const typing = (element) => element.matches("input:not([type=checkbox]):not([type=radio]), select, textarea");

  document.addEventListener("DOMContentLoaded", () => {
    document.body.append(voice);
    const bar = document.querySelector(".top .wide");
    const jump = document.getElementById("q") ? null : searchBox(bar);
    const [languageButton, themeButton] = switches(bar);
    languageButton.addEventListener("click", () => {
      chosenLanguage = language() === "zh" ? "en" : "zh";
      remember();
      translate();
    });
    themeButton.addEventListener("click", () => {
      chosenTheme = theme() === "dark" ? "light" : "dark";
      root.dataset.theme = chosenTheme;
      remember();
      carry(document);
    });
    // Following "#main" would wipe a search out of the address.
    document.querySelector(".skip").addEventListener("click", (event) => {
      event.preventDefault();
      document.getElementById("main").focus();
    });
    for (const button of document.querySelectorAll(".copy")) copyButton(button);
    for (const box of document.querySelectorAll(".narrow")) narrow(box);
    if (jump) {
      jump.addEventListener("submit", (event) => {
        event.preventDefault();
        location.href = base + "index.html#" + withChoice(new URLSearchParams({ q: jump.q.value }));
      });
      document.addEventListener("keydown", (event) => {
        if (event.key === "/" && !typing(event.target) && !event.ctrlKey && !event.metaKey && !event.altKey) {
          event.preventDefault();
          jump.q.focus();
        }
      });
    }
    translate();
    // Where a chart is wider than the screen, the recent years come first.
    for (const figure of document.querySelectorAll(".figure")) figure.scrollLeft = figure.scrollWidth;
  });

  return { carry, copy, flash, heard, language, onTranslate: (f) => listeners.push(f), params, say, store, term, typing, withChoice };
})();
