// The panel of the catalogue: what to look for, what was found, and the card of what is chosen.

class CataloguePanel {
  constructor(model, ask) {
    Object.assign(this, { model, ask, timer: null });
    const soon = () => { clearTimeout(this.timer); this.timer = setTimeout(() => this.send(), 200); };
    const field = (name, label, attributes = {}) => (this[name] = element("input", { class: "wb-field", "aria-label": label, oninput: soon, ...attributes }));
    const choice = (name, label) => (this[name] = element("select", { class: "wb-field", "aria-label": label, onchange: () => this.send() }));
    this.found = element("div", { class: "wb-muted", role: "status" });
    this.list = element("div", { class: "wb-entries", role: "list" });
    this.node = element("div", { class: "wb-panel" },
      field("text", "search", { type: "search", placeholder: "search: flood, sentinel-2, crop …" }),
      element("div", { class: "wb-two" }, choice("sensor", "sensor"), choice("label", "class"), choice("task", "task"),
        element("span", { class: "wb-dates" }, "from", field("start", "from", { type: "date" }), "until", field("end", "until", { type: "date" }))),
      this.found, this.list);
  }

  send() {
    const value = (name) => this[name].value || null;
    this.ask({ do: "search", text: this.text.value, sensor: value("sensor"), task: value("task"), label: value("label"), start: value("start"), end: value("end") });
  }

  update() {
    const now = this.model.get("catalogue");
    if (!now.entries) return;
    for (const [name, any] of [["sensor", "any sensor"], ["task", "any task"], ["label", "any class"]]) {
      if (this[name].options.length !== now.choices[name].length + 1) {
        this[name].replaceChildren(element("option", { value: "" }, any), ...now.choices[name].map((value) => element("option", { value }, value)));
      }
      if (document.activeElement !== this[name]) this[name].value = now.filters[name] ?? "";
    }
    for (const name of ["text", "start", "end"]) if (document.activeElement !== this[name]) this[name].value = now.filters[name] ?? "";
    say(this.found, now.found);
    const focused = this.list.contains(document.activeElement) ? document.activeElement.dataset.id : null;
    this.list.replaceChildren(...now.entries.map((entry) => this.entry(entry, entry.id === now.chosen)));
    if (focused) this.list.querySelector(`button[data-id="${CSS.escape(focused)}"]`)?.focus();
  }

  entry(entry, chosen) {
    const head = element("button", { type: "button", class: "wb-entry-head", "data-id": entry.id, "aria-expanded": String(chosen), onclick: () => this.ask({ do: "choose", id: chosen ? null : entry.id }) },
      element("i", { class: "wb-dot", style: `background:${entry.colour}` }), element("b", {}, entry.title),
      element("span", { class: "wb-flags", title: entry.flags.join("; ") }, "⚑".repeat(entry.flags.length)),
      element("small", {}, entry.line));
    return element("div", { class: chosen ? "wb-entry wb-chosen" : "wb-entry", role: "listitem" }, head, chosen ? this.card(entry) : null);
  }

  card(entry) {
    const facts = entry.facts.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]);
    const open = element("button", { type: "button", class: "wb-button wb-main", onclick: () => this.ask({ do: "open", id: entry.id }) }, entry.open);
    return element("div", { class: "wb-card" },
      element("p", {}, entry.description),
      element("div", { class: "wb-legend" }, ...entry.classes.map((kind) => element("span", {}, element("i", { style: `background:${kind.colour}` }), kind.name))),
      // Before all there is to read: what to do must not lie below the fold.
      entry.open ? open : element("div", {}, element("span", { class: "wb-muted" }, "Not on this machine. To fetch it:"), element("pre", { class: "wb-code" }, entry.fetch)),
      entry.preview.length ? element("div", { class: "wb-pictures" }, ...entry.preview.map((picture) => element("figure", {}, element("img", { src: picture.url, alt: picture.name }), element("figcaption", {}, picture.name)))) : null,
      ...entry.flags.map((flag) => element("div", { class: "wb-caveat wb-red" }, `⚑ ${flag}`)),
      ...entry.caveats.map((text) => element("div", { class: "wb-caveat" }, text)),
      element("dl", {}, ...facts));
  }
}
