"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const [form, list, count, more] = ["filter", "roots", "count", "more"].map(byId);

  // Copying: a card gets its buttons, and the documentation of its cause, when it is opened.
  const copier = (label, text) => {
    const button = Object.assign(document.createElement("button"), { type: "button", className: "copy", textContent: label });
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(text());
        button.textContent = "Copied";
      } catch {
        button.textContent = "Copying is not allowed";
      }
    });
    return button;
  };
  const address = (row) => `${location.href.split(/[?#]/)[0]}#${row.id}`;
  const dress = (row) => {
    if (row.querySelector(".copy")) return;
    const card = row.querySelector(".card");
    if (!card) return;
    for (const copied of row.querySelectorAll(".copied")) copied.append(copier("Copy", () => copied.querySelector("code").textContent));
    card.querySelector(".tools").append(
      copier("Copy the link", () => address(row)),
      copier("Copy as text", () => `${row.querySelector("summary").innerText}\n${card.innerText}`),
    );
    const about = card.querySelector(".about");
    const cause = about && byId(about.hash.slice(1));
    if (!cause) return;
    const fold = document.createElement("details");
    fold.append(Object.assign(document.createElement("summary"), { textContent: about.textContent }), ...cause.cloneNode(true).children);
    about.remove();
    card.insertBefore(fold, card.querySelector(".tools"));
  };

  // The root causes: the first ones are in the page; the others are read when the browser has time, or when they are needed.
  const STEP = 500;
  const rows = list ? [...list.children] : [];
  const rest = [...document.querySelectorAll("noscript.rest")];
  const texts = new Map();
  let limit = STEP;
  const read = () => {
    const holder = document.createElement("template");
    const next = rest.shift();
    holder.innerHTML = next.textContent;
    next.remove();
    const some = [...holder.content.children];
    rows.push(...some);
    return some;
  };
  const offer = () => {
    for (const field of ["cause", "namespace", "node"]) {
      const names = new Set(rows.flatMap((row) => row.dataset[field].split("\n")));
      const select = form.elements[field];
      const missing = [...names].filter((name) => name && ![...select.options].some((option) => option.value === name));
      select.append(...missing.sort().map((name) => new Option(name)));
    }
  };
  const complete = () => {
    if (!rest.length) return;
    while (rest.length) read();
    offer();
  };
  const whenIdle = window.requestIdleCallback ?? setTimeout;
  // Without a filter: any filter reads all that is left at once.
  const readOn = () => {
    if (!rest.length) return offer();
    const room = Math.max(0, limit - rows.length);
    list.append(...read().slice(0, room));
    whenIdle(readOn);
  };

  // The filter: its fields are the state, which is kept in the fragment of the address.
  const fields = () => Object.fromEntries([...new FormData(form)].filter(([, value]) => value));
  const textOf = (row) => {
    if (!texts.has(row)) texts.set(row, `${row.textContent}\n${Object.values(row.dataset).join("\n")}`.toLowerCase());
    return texts.get(row);
  };
  const matcher = ({ q = "", group, state, ...wanted }) => {
    const words = q.toLowerCase().split(/\s+/);
    return (row) =>
      (!state || row.classList.contains(state)) &&
      Object.entries(wanted).every(([field, value]) => row.dataset[field].split("\n").includes(value)) &&
      words.every((word) => textOf(row).includes(word));
  };
  const groupOf = (row, field) => {
    const names = row.dataset[field].split("\n");
    return field === "cause" || names.length === 1 ? names[0] || `no ${field}` : `several ${field}s`;
  };
  const grouped = (matched, field) => {
    const groups = new Map();
    for (const row of matched) groups.set(groupOf(row, field), [...(groups.get(groupOf(row, field)) ?? []), row]);
    return groups;
  };
  const headed = (name, size) => {
    const heading = Object.assign(document.createElement("h3"), { className: "group", textContent: name });
    heading.append(Object.assign(document.createElement("span"), { className: "small faint", textContent: size.toLocaleString("en") }));
    return heading;
  };
  const offerMore = (hidden) => {
    more.hidden = hidden <= 0;
    more.firstElementChild.textContent = `Show ${Math.min(hidden, STEP)} of ${hidden.toLocaleString("en")} more`;
  };
  const draw = () => {
    const state = fields();
    if (Object.keys(state).length || limit > STEP) complete();
    const matched = rows.filter(matcher(state));
    let left = limit;
    const shown = (row) => left-- > 0 || row.open;
    const groups = state.group ? grouped(matched, state.group) : new Map([["", matched]]);
    list.replaceChildren(
      ...[...groups].flatMap(([name, members]) => {
        const visible = members.filter(shown);
        return name && visible.length ? [headed(name, members.length), ...visible] : visible;
      }),
    );
    const total = Number(list.dataset.total);
    const all = rest.length ? total : matched.length;
    const hidden = all - list.querySelectorAll(":scope > .root").length;
    count.textContent = all < total ? `${all.toLocaleString("en")} of ${total.toLocaleString("en")}` : "";
    if (!all) list.append(Object.assign(document.createElement("p"), { textContent: "No root cause matches." }));
    offerMore(hidden);
    for (const chip of document.querySelectorAll(".counts a")) chip.toggleAttribute("aria-current", chip.hash === `#state=${state.state}`);
  };
  const keep = () => {
    const kept = new URLSearchParams(fields());
    const open = rows.filter((row) => row.open).slice(0, 20);
    if (open.length) kept.set("open", open.map((row) => row.id.slice(2)).join(" "));
    history.replaceState(null, "", `${kept}` ? `#${kept}` : location.href.split("#")[0]);
  };
  const changed = () => {
    limit = STEP;
    draw();
    keep();
  };
  const restore = (kept) => {
    complete();
    for (const field of form.elements) {
      if (!field.name) continue;
      const value = kept.get(field.name) ?? "";
      if (field.options && ![...field.options].some((option) => option.value === value)) field.append(new Option(value));
      field.value = value;
    }
    const open = (kept.get("open") ?? "").split(" ").map((id) => `f-${id}`);
    for (const row of rows) if (open.includes(row.id)) row.open = true;
    draw();
    const first = rows.find((row) => row.id === open[0]);
    (first ?? byId("findings")).scrollIntoView();
  };

  // A link to a place opens what it is in; the root cause may not be read or shown yet.
  const reveal = (id) => {
    if (list && /^f-/.test(id) && !byId(id)) {
      complete();
      const row = rows.find((row) => row.id === id || row.querySelector(`[id="${CSS.escape(id)}"]`));
      if (!row) return;
      row.open = true;
      if (!matcher(fields())(row)) form.reset();
      draw();
    }
    let place = byId(id);
    place?.closest("details") && keepOpen(place);
    place?.scrollIntoView();
  };
  const keepOpen = (place) => {
    for (; place; place = place.parentElement) if (place.tagName === "DETAILS") place.open = true;
  };
  const follow = () => {
    const hash = location.hash.slice(1);
    if (form && hash.includes("=")) restore(new URLSearchParams(hash));
    else if (hash) reveal(hash);
  };

  if (form) {
    form.addEventListener("input", changed);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("reset", () => setTimeout(changed));
    byId("facets-button").addEventListener("click", ({ target }) => {
      target.setAttribute("aria-expanded", byId("facets").classList.toggle("open"));
    });
    more.firstElementChild.addEventListener("click", () => {
      limit += STEP;
      draw();
    });
    document.querySelector(".counts").addEventListener("click", (event) => {
      const chip = event.target.closest("a");
      if (!chip) return;
      event.preventDefault();
      const state = chip.hash.slice("#state=".length);
      form.elements.state.value = form.elements.state.value === state ? "" : state;
      changed();
    });
    list.addEventListener("toggle", ({ target }) => {
      if (!target.classList.contains("root")) return;
      if (target.open) dress(target);
      keep();
    }, true);
    document.addEventListener("keydown", (event) => {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      const rowsShown = step && event.target.matches(".root > summary") ? [...list.querySelectorAll(".root > summary")] : [];
      const next = rowsShown[rowsShown.indexOf(event.target) + step];
      if (next) next.focus();
      else if (event.key === "/" && !event.target.matches("input, select")) form.elements.q.focus();
      else if (event.key === "Escape" && event.target === form.elements.q) form.reset();
      else return;
      event.preventDefault();
    });
    let before = limit;
    addEventListener("beforeprint", () => {
      [before, limit] = [limit, Infinity];
      draw();
    });
    addEventListener("afterprint", () => {
      limit = before;
      draw();
    });
    offerMore(Number(list.dataset.total) - limit);
    whenIdle(readOn);
  }

  const save = async (event) => {
    event.preventDefault();
    const { href, download } = byId("save");
    const packed = Uint8Array.from(atob(href.split(",")[1]), (letter) => letter.charCodeAt(0));
    const json = await new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"))).blob();
    Object.assign(document.createElement("a"), { href: URL.createObjectURL(json), download: download.replace(".gz", "") }).click();
  };
  for (const link of document.querySelectorAll("#save, [href='#save']")) link.addEventListener("click", save);
  addEventListener("hashchange", () => (location.hash ? follow() : form?.reset()));
  follow();
})();
