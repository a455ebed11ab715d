"use strict";
(() => {
  // Language: the reader's own at first, then the button.
  const root = document.documentElement;
  const button = document.getElementById("language");
  const speak = (language) => {
    root.lang = language === "zh" ? "zh-Hans" : "en";
    document.querySelectorAll("[data-attribute]").forEach((element) => {
      element.setAttribute(element.dataset.attribute, element.dataset[language]);
    });
  };
  speak((navigator.language || "en").toLowerCase().startsWith("zh") ? "zh" : "en");
  button.hidden = false;
  button.addEventListener("click", () => speak(root.lang === "en" ? "zh" : "en"));
})();
