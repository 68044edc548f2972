// The panel of a dataset: its parts, the audit's verdict, the regions and how they are shared out.

const PARTS = [["", "shared out"], ["train", "train"], ["val", "validation"], ["test", "test"], ["held_out", "held out"]];
const MARKS = { ok: "✓", note: "i", warning: "!", error: "✕" };
const UNITS = { cluster: "clusters (scenes, blocks)", region: "regions", tile: "MGRS tiles", block: "spatial blocks", published: "published split" };

function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function stack(shares, colours, names, label) {
  const parts = shares.map((share, k) => share > 0 && element("i", {
    style: `flex:${share};background:${colours[k]}`, title: `${names[k]} ${(100 * share).toFixed(1)} %` }));
  const words = names.map((name, k) => `${name} ${(100 * shares[k]).toFixed(0)} %`).join(", ");
  return element("span", { class: "wb-stack", role: "img", "aria-label": label ? `${label}: ${words}` : words }, ...parts.filter(Boolean));
}

class SplitPanel {
  constructor(model, ask, chart) {
    Object.assign(this, { model, ask, chart, rows: new Map() });
    this.parts = element("div", { class: "wb-parts" });
    this.classes = element("div", { class: "wb-legend" });
    this.problem = element("div", { class: "wb-problem", role: "alert" });
    this.audit = element("div", { class: "wb-audit", role: "status" });
    this.find = element("input", { type: "search", class: "wb-field", placeholder: "find a region", "aria-label": "find a region", oninput: () => this.sieve() });
    this.list = element("div", { class: "wb-regions", role: "list" });
    this.fold = element("span", {});
    const step = (by, text, label) => element("button", { type: "button", class: "wb-button wb-small", "aria-label": label, title: label, onclick: () => ask({ do: "fold", step: by }) }, text);
    this.folds = element("div", { class: "wb-folds" },
      element("button", { type: "button", class: "wb-button wb-small", title: "Hold out one region alone; the arrows go on to the next", onclick: () => ask({ do: "fold", step: 0 }) }, "Leave one region out"),
      step(-1, "‹", "the region before"), step(1, "›", "the next region"), this.fold);
    this.options = this.makeOptions();
    this.node = element("div", { class: "wb-panel" },
      element("h4", {}, "Split"), this.parts, this.classes, this.problem, this.audit,
      element("h4", {}, "Regions"), this.folds, this.find, this.list,
      element("details", { class: "wb-options" }, element("summary", {}, "How the rest is shared out"), this.options));
  }

  makeOptions() {
    const number = (name, attributes) => element("input", { type: "number", class: "wb-field", "aria-label": name, ...attributes, onchange: () => this.send() });
    this.by = element("select", { class: "wb-field", "aria-label": "what stays whole", onchange: () => this.send() },
      ...Object.entries(UNITS).map(([value, text]) => element("option", { value }, text)));
    this.shares = ["train", "validation", "test"].map((name) => number(`share of ${name}, per cent`, { min: 0, max: 100, step: 1 }));
    this.buffer = number("buffer in kilometres", { min: 0, step: "any", placeholder: "none" });
    this.seed = number("seed", { min: 0, step: 1 });
    return element("div", { class: "wb-grid" },
      element("label", {}, "keep whole"), this.by,
      element("label", {}, "train · val · test, %"), element("span", { class: "wb-three" }, ...this.shares),
      element("label", {}, "buffer, km"), this.buffer, element("label", {}, "seed"), this.seed);
  }

  send() {
    const shares = this.shares.map((field) => Number(field.value) / 100);
    this.ask({ do: "options", by: this.by.value, fractions: shares, seed: Number(this.seed.value || 0), buffer_km: this.buffer.value === "" ? null : Number(this.buffer.value) });
  }

  update() {
    const { model } = this;
    if (!model.get("options").by) return; // not all of the first message is here
    const classes = model.get("classes");
    const [names, colours] = [classes.map((entry) => entry.name), classes.map((entry) => entry.colour)];
    const parts = model.get("parts");
    this.parts.replaceChildren(...parts.map((row) => element("div", { class: "wb-part" },
      element("i", { class: "wb-dot", style: `background:var(--wb-${row.part})` }), element("span", {}, row.title), element("b", {}, String(row.chips)),
      row.classes ? stack(row.classes, colours, names, `classes of ${row.title}`) : element("span", { class: "wb-muted" }, row.note ?? ""))));
    this.classes.replaceChildren(...classes.map((entry) => element("span", {}, element("i", { style: `background:${entry.colour}` }), entry.name)));
    say(this.problem, model.get("message"));
    this.problem.hidden = !model.get("message");
    this.showAudit(model.get("audit"));
    this.showOptions(model.get("options"));
    this.showRegions(model.get("regions"), model.get("selection"));
    say(this.fold, model.get("page").fold ?? "");
  }

  showAudit(audit) {
    const open = this.audit.querySelector("details")?.open;
    this.audit.dataset.worst = audit.worst ?? "";
    if (audit.state !== "done") return this.audit.replaceChildren(element("span", { class: "wb-muted" }, audit.title ?? ""));
    const mark = element("i", { class: "wb-mark", "aria-hidden": "true" }, MARKS[audit.worst]);
    const lines = audit.findings.map((finding) => element("li", { "data-level": finding.level }, element("i", { class: "wb-mark" }, MARKS[finding.level]), element("span", {}, element("b", {}, finding.check), ` ${finding.what}`)));
    this.audit.replaceChildren(element("details", { open: open ? "" : null }, element("summary", {}, mark, element("span", {}, audit.title)), element("ul", {}, ...lines)));
  }

  showOptions(options) {
    const fill = (field, value) => { if (document.activeElement !== field) field.value = value; };
    for (const option of this.by.options) option.hidden = option.value === "published" && !options.published;
    fill(this.by, options.by);
    const whole = options.fractions.reduce((a, b) => a + b, 0) || 1;
    this.shares.forEach((field, k) => fill(field, String(+((100 * options.fractions[k]) / whole).toFixed(1))));
    fill(this.buffer, options.buffer_km ?? "");
    fill(this.seed, options.seed);
  }

  showRegions(rows, selection) {
    this.find.hidden = rows.length < 12;
    const wanted = new Set(rows.map((row) => row.name));
    for (const [name, row] of this.rows) if (!wanted.has(name)) { row.node.remove(); this.rows.delete(name); }
    for (const now of rows) {
      let row = this.rows.get(now.name);
      if (!row) this.rows.set(now.name, (row = this.makeRow(now)));
      row.now = now;
      say(row.count, String(now.chips));
      if (document.activeElement !== row.part || row.part.value !== now.part) row.part.value = now.part;
      row.node.dataset.part = now.part;
      row.node.classList.toggle("wb-chosen", selection.kind === "region" && selection.name === now.name);
      const total = now.counts.reduce((a, b) => a + b, 0) || 1;
      const key = now.counts.join();
      if (row.key !== key) {
        row.key = key;
        row.bar.replaceChildren(stack(now.counts.map((count) => count / total), ["train", "val", "test", "held_out", "left_out"].map((part) => `var(--wb-${part})`), ["train", "validation", "test", "held out", "left out"], now.title));
      }
    }
    const order = rows.map((now) => this.rows.get(now.name).node);
    if (order.some((node, k) => this.list.children[k] !== node)) this.list.replaceChildren(...order);
    this.sieve();
  }

  makeRow(now) {
    const { ask } = this;
    const name = element("button", { type: "button", class: "wb-region", title: `Show ${now.title} on the map`, onclick: () => { ask({ do: "region", name: now.name }); this.chart.show(this.rows.get(now.name).now.place); } }, now.title);
    const part = element("select", { class: "wb-field", "aria-label": `part of ${now.title}`, onchange: () => ask({ do: "give", region: now.name, part: part.value }) },
      ...PARTS.map(([value, text]) => element("option", { value }, text)));
    const [count, bar] = [element("span", { class: "wb-muted" }), element("span", {})];
    return { name, part, count, bar, node: element("div", { class: "wb-row", role: "listitem" }, name, count, bar, part) };
  }

  sieve() {
    const text = this.find.hidden ? "" : this.find.value.trim().toLowerCase();
    for (const { node, now } of this.rows.values()) node.hidden = !now.title.toLowerCase().includes(text) && !now.name.toLowerCase().includes(text);
  }
}
