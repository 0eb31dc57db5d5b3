"use strict";
(() => {
  const bar = document.getElementById("filter");
  const cards = [...document.querySelectorAll("[data-finding]")];
  if (bar) {
    const [text, namespace, severity] = ["filter-text", "filter-namespace", "filter-severity"].map((id) => document.getElementById(id));
    const count = document.getElementById("filter-count");
    const texts = new Map(cards.map((card) => [card, card.textContent.toLowerCase()]));
    const matches = (card) =>
      texts.get(card).includes(text.value.trim().toLowerCase()) &&
      (!namespace.value || card.dataset.namespace === namespace.value) &&
      (!severity.value || card.dataset.severity === severity.value);
    const apply = () => {
      const filtering = text.value.trim() || namespace.value || severity.value;
      let shown = 0;
      for (const card of cards) {
        card.hidden = !matches(card) && ![...card.querySelectorAll("[data-finding]")].some(matches);
        shown += !card.hidden;
      }
      for (const fold of document.querySelectorAll("details.more")) fold.open = fold.open || Boolean(filtering);
      count.textContent = filtering ? `${shown} of ${cards.length} findings shown` : "";
    };
    for (const field of [text, namespace, severity]) field.addEventListener("input", apply);
    bar.hidden = false;
  }
  for (const command of document.querySelectorAll(".command")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = "Copy";
    button.setAttribute("aria-label", "Copy the command");
    button.addEventListener("click", async () => {
      const code = command.querySelector("code");
      try {
        await navigator.clipboard.writeText(code.textContent);
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(code);
        button.textContent = "Selected";
      }
    });
    command.append(button);
  }
  const reveal = () => {
    let place = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const target = place;
    for (; place; place = place.parentElement) if (place.tagName === "DETAILS") place.open = true;
    if (target) target.scrollIntoView();
  };
  addEventListener("hashchange", reveal);
  addEventListener("beforeprint", () => document.querySelectorAll(".kv details").forEach((fold) => { fold.open = true; }));
  reveal();
})();
