"use strict";
(() => {
  const root = document.documentElement;
  const $ = (id) => document.getElementById(id);
  document.querySelectorAll(".tools").forEach((tools) => { tools.hidden = false; });

  // Language: the reader's own at first, then the button.
  const speak = (language) => {
    root.lang = language === "zh" ? "zh-Hans" : "en";
    document.querySelectorAll("[data-attribute]").forEach((element) => {
      element.setAttribute(element.dataset.attribute, element.dataset[language]);
    });
  };
  speak((navigator.language || "en").toLowerCase().startsWith("zh") ? "zh" : "en");
  $("language").hidden = false;
  $("language").addEventListener("click", () => speak(root.lang === "en" ? "zh" : "en"));

  // Maps: how strongly the colours cover the tissue, and how large they are.
  const strength = $("opacity");
  if (strength) strength.addEventListener("input", () => {
    document.body.style.setProperty("--strength", strength.value / 100);
  });
  $("larger").addEventListener("change", (event) => {
    document.body.classList.toggle("larger", event.target.checked);
  });

  // Tables: a button in each heading sorts; numbers start with the largest, names with A.
  document.querySelectorAll("table.sortable").forEach((table) => {
    const body = table.tBodies[0];
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      if (!head.hasAttribute("aria-sort")) head.setAttribute("aria-sort", "none");
      button.addEventListener("click", () => {
        const text = head.dataset.kind === "text";
        const now = head.getAttribute("aria-sort");
        const down = now === "none" ? !text : now === "ascending";
        heads.forEach((other) => other.setAttribute("aria-sort", "none"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const value = (row) => row.cells[column].dataset.v;
        const order = text
          ? (a, b) => value(a).localeCompare(value(b), "en", { numeric: true })
          : (a, b) => Number(value(a)) - Number(value(b));
        const rows = [...body.rows].sort(order);
        body.append(...(down ? rows.reverse() : rows));
      });
    });
  });
  $("find").addEventListener("input", (event) => {
    const wanted = event.target.value.trim().toLowerCase();
    for (const row of $("genes").tBodies[0].rows) {
      row.hidden = !row.cells[0].dataset.v.toLowerCase().includes(wanted);
    }
  });

  // On paper nothing can be opened.
  window.addEventListener("beforeprint", () => {
    document.querySelectorAll("details").forEach((part) => { part.open = true; });
  });
})();
