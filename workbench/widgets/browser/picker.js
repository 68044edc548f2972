// The picker: a map that another widget made, what is drawn on it, and the panels beside and below.
// All state is in the model, so that a page that is reloaded shows what was there.

const MOVES = [["held_out", "Hold out"], ["train", "Train"], ["val", "Validation"], ["test", "Test"], ["", "Share out"]];
const LISTED = 400; // chips that a list shows at once

function bytes(model, name, Kind) {
  const data = model.get(name);
  return data.byteLength ? new Kind(data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength)) : new Kind(0);
}

// The Leaflet map of a widget that stands in the same box as `near`.
async function findMap(model, near) {
  const chart = await model.widget_manager.get_model(model.get("chart").slice("IPY_MODEL_".length));
  for (let tries = 0; tries < 200; tries++) {
    for (const promise of Object.values(chart.views ?? {})) {
      const view = await promise;
      if (view.obj && view.el.closest(".wb-pick") === near.closest(".wb-pick") && near.closest(".wb-pick")) return view.obj;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error("The map of the picker did not appear.");
}

class Chart {
  constructor(model, ask, colour) {
    Object.assign(this, { model, ask, colour, thumbs: new Map(), hovered: null });
    this.tip = element("div", { class: "wb-tip", hidden: "" });
    this.legend = element("div", { class: "wb-map-legend" });
  }

  attach(map, sketched) {
    const L = window.L;
    this.map = map;
    this.layer = new (footprintLayer(L))("wb-chips");
    this.sketch = new Sketch(L, map, sketched);
    this.marks = L.layerGroup().addTo(map);
    map.addLayer(this.layer);
    map.getContainer().append(this.tip, this.legend);
    this.sizes = new ResizeObserver(() => map.invalidateSize({ pan: false }));
    this.sizes.observe(map.getContainer());
    map.on("mousemove", (event) => this.hover(event));
    map.on("mouseout movestart", () => this.leave());
    map.on("zoomanim", () => { this.zooming = true; });
    map.on("zoomend", () => this.arrived());
    map.on("click", (event) => {
      if (this.sketch.kind || this.sketch.ending) return;
      const found = this.layer.at(event.latlng);
      if (!found) return this.ask({ do: "nothing" });
      if (found.shape !== undefined) this.ask({ do: "shape", at: found.shape });
      else this.ask({ do: "group", at: found.group });
    });
    this.shapes();
    this.paint();
  }

  shapes() {
    if (!this.layer) return;
    this.thumbs.clear();
    this.layer.shapes = new Shapes(bytes(this.model, "corners", Float32Array), bytes(this.model, "groups", Uint16Array));
    this.names = null;
  }

  name(k) { return (this.names ??= this.model.get("names").split("\n"))[k]; }

  paint() {
    const legend = this.model.get("legend");
    this.legend.hidden = !legend.entries?.length;
    this.legend.replaceChildren(...(legend.entries ?? []).map((entry) => element("span", {}, element("i", { style: `background:${this.colour(entry.colour)}` }), entry.name)));
    if (!this.layer) return;
    this.layer.tints = bytes(this.model, "tints", Uint8Array);
    this.layer.look = { colours: this.model.get("palette").map(this.colour), labels: this.model.get("labels"), ink: this.colour("--wb-ink"), surface: this.colour("--wb-surface"), font: getComputedStyle(this.tip).fontFamily };
    this.layer.redraw();
    this.mark();
  }

  // Rings round what is chosen.
  mark() {
    if (!this.layer) return;
    this.marks.clearLayers();
    const chosen = this.model.get("selection");
    const look = { color: this.colour("--wb-ink"), weight: 2, fill: false, interactive: false, pane: "wb-marks" };
    if (chosen.kind === "chip" && this.layer.shapes.placed(chosen.at)) this.marks.addLayer(window.L.polygon(this.layer.outline(chosen.at), look));
    if (chosen.kind === "region" && chosen.place >= 0) {
      const bounds = this.layer.bounds(chosen.place);
      if (bounds && this.layer.single) this.marks.addLayer(window.L.rectangle(bounds.pad(0.04), { ...look, weight: 1.2, dashArray: "3 4" }));
    }
    if (chosen.kind !== "area" && !this.sketch.kind) this.sketch.clear();
  }

  show(group) {
    const bounds = this.layer?.bounds(group);
    if (bounds) this.fit(bounds.pad(0.25));
  }

  // Leaflet drops what it is asked for while a zoom is under way: the last wish waits for its end.
  fit(bounds, padding = [0, 0]) {
    if (this.zooming) {
      this.next = () => this.fit(bounds, padding);
      return;
    }
    this.map.invalidateSize({ pan: false }); // the page may just have got another height
    this.map.fitBounds(bounds, { padding, maxZoom: 13 });
  }

  arrived() {
    const { next } = this;
    this.zooming = false;
    this.next = null;
    this.mark();
    if (next) next();
  }

  hover(event) {
    if (this.sketch.kind || this.map.dragging.moving()) return this.leave();
    const found = this.layer.at(event.latlng);
    this.map.getContainer().classList.toggle("wb-pointing", Boolean(found));
    if (!found) return this.leave();
    const key = found.shape ?? `g${found.group}`;
    if (key !== this.hovered) {
      this.hovered = key;
      const label = this.model.get("labels")[found.group] ?? "";
      if (found.shape === undefined) this.tip.replaceChildren(element("b", {}, label), element("small", {}, `${found.count} ${this.model.get("page").mode === "dataset" ? "chips" : "places"}`));
      else {
        this.tip.replaceChildren(element("b", {}, this.name(found.shape)), element("small", {}, label), element("img", { alt: "", hidden: "" }));
        clearTimeout(this.wait);
        if (this.thumbs.has(found.shape)) this.thumb(found.shape);
        else if (this.model.get("page").mode === "dataset") this.wait = setTimeout(() => this.ask({ do: "thumb", at: found.shape }), 90);
      }
    }
    const size = this.map.getSize();
    const { x, y } = event.containerPoint;
    this.tip.hidden = false;
    this.tip.style.left = `${x + 16 + this.tip.offsetWidth > size.x ? x - this.tip.offsetWidth - 12 : x + 16}px`;
    this.tip.style.top = `${Math.max(4, Math.min(y + 12, size.y - this.tip.offsetHeight - 4))}px`;
  }

  leave() {
    clearTimeout(this.wait);
    this.hovered = null;
    this.tip.hidden = true;
  }

  thumb(at, url) {
    if (url !== undefined) this.thumbs.set(at, url);
    const image = this.tip.querySelector("img");
    if (this.hovered !== at || !image || !this.thumbs.get(at)) return;
    image.src = this.thumbs.get(at);
    image.hidden = false;
  }
}

// What is chosen, and what may be done with it.
class Strip {
  constructor(model, ask, chart) {
    Object.assign(this, { model, ask, chart });
    this.node = element("div", { class: "wb-strip", "aria-live": "polite" });
  }

  update() {
    const now = this.model.get("selection");
    const dataset = this.model.get("page").mode === "dataset";
    if (!now.kind) {
      const hint = dataset ? "Click a region or a chip, or draw a box or a polygon: what is chosen is shown here and can be held out." : "Click a footprint or a name: its card opens beside the map.";
      return this.node.replaceChildren(element("p", { class: "wb-muted wb-hint" }, hint));
    }
    const chosen = now.part;
    const buttons = dataset ? MOVES.filter(([part]) => part || now.kind !== "area").map(([part, text]) => element("button", {
      type: "button", class: "wb-button wb-move", "data-part": part, "aria-pressed": String(now.kind !== "area" && chosen === part), onclick: () => this.ask({ do: "move", part }) }, text)) : [];
    if (now.kind === "area") buttons.push(element("button", { type: "button", class: "wb-button wb-move", title: "Leave out every chip outside of what is drawn", onclick: () => this.ask({ do: "move", part: "only" }) }, "Keep only these"));
    const zoom = now.place >= 0 ? element("button", { type: "button", class: "wb-button wb-move", onclick: () => this.chart.show(now.place) }, "Zoom to it") : null;
    const close = element("button", { type: "button", class: "wb-close", "aria-label": "choose nothing", title: "choose nothing", onclick: () => this.ask({ do: "nothing" }) }, "×");
    const pictures = (now.pictures ?? []).map((picture) => element("figure", {}, element("img", { src: picture.url, alt: `${picture.name} of ${now.title}` }), element("figcaption", {}, picture.name)));
    this.node.replaceChildren(
      pictures.length ? element("div", { class: "wb-pictures" }, ...pictures) : "",
      element("div", { class: "wb-about" }, element("h4", {}, now.title), element("p", {}, ...now.lines.flatMap((line) => [line, element("br")])),
        buttons.length ? element("div", { class: "wb-moves" }, now.mover ? element("span", { class: "wb-muted" }, now.mover) : "", ...buttons, zoom) : ""), close);
  }
}

// The chips as a list: for those that have no place on the map, and for the keyboard.
class ChipList {
  constructor(model, ask, chart) {
    Object.assign(this, { model, ask, chart });
    this.find = element("input", { type: "search", class: "wb-field", placeholder: "find a chip", "aria-label": "find a chip", oninput: () => this.update() });
    this.rows = element("div", { class: "wb-chips" });
    this.more = element("div", { class: "wb-muted" });
    this.node = element("div", { class: "wb-list" }, this.find, this.rows, this.more);
  }

  update() {
    if (this.node.hidden) return;
    const { model } = this;
    const names = model.get("names") ? model.get("names").split("\n") : [];
    const [tints, groups, palette, labels] = [bytes(model, "tints", Uint8Array), bytes(model, "groups", Uint16Array), model.get("palette"), model.get("labels")];
    const text = this.find.value.trim().toLowerCase();
    const found = names.flatMap((name, k) => (name.toLowerCase().includes(text) || labels[groups[k]]?.toLowerCase().includes(text) ? [k] : []));
    this.rows.replaceChildren(...found.slice(0, LISTED).map((k) => element("button", { type: "button", onclick: () => this.ask({ do: "shape", at: k }) },
      element("i", { class: "wb-dot", style: `background:${this.chart.colour(palette[tints[k]] ?? "--wb-muted")}` }), names[k])));
    say(this.more, found.length > LISTED ? `… and ${found.length - LISTED} more: type what to find` : found.length ? "" : "no chip is called so");
  }
}

function render({ model, el }) {
  const ask = (message) => model.send(message);
  const colour = (name) => (name.startsWith("--") ? getComputedStyle(box).getPropertyValue(name).trim() : name);
  const chart = new Chart(model, ask, colour);
  const [strip, split, catalogue, list] = [new Strip(model, ask, chart), new SplitPanel(model, ask, chart), new CataloguePanel(model, ask), new ChipList(model, ask, chart)];

  const back = element("button", { type: "button", class: "wb-button wb-small", onclick: () => ask({ do: "close" }) }, "‹ All collections");
  const title = element("b", { class: "wb-name" });
  const note = element("span", { class: "wb-muted", role: "status" });
  const by = element("select", { class: "wb-field", "aria-label": "colour by", onchange: () => ask({ do: "colour", by: by.value }) });
  const tool = (kind, text, hint) => element("button", { type: "button", class: "wb-button wb-small", "aria-pressed": "false", title: hint, onclick: (event) => (chart.sketch?.kind === kind ? chart.sketch.stop() : begin(kind, event.currentTarget)) }, text);
  const tools = [tool("box", "▭ Box", "Drag a box on the map; Escape gives it up"), tool("polygon", "⬠ Polygon", "Click corners on the map, the first one or Enter to end; Escape gives it up")];
  const listed = element("button", { type: "button", class: "wb-button wb-small", "aria-pressed": "false", title: "The chips as a list", onclick: () => { asList = !asList; update(); } }, "☰ List");
  const undo = element("button", { type: "button", class: "wb-button wb-small", title: "Take back the last change", onclick: () => ask({ do: "undo" }) }, "↶ Undo");
  const shown = element("button", { type: "button", class: "wb-button wb-small", "aria-pressed": "false", title: "The line of Python that makes the same split", onclick: () => { code.hidden = !code.hidden; shown.setAttribute("aria-pressed", String(!code.hidden)); } }, "‹› Code");
  const code = element("pre", { class: "wb-code", hidden: "" });
  const coloured = element("label", { class: "wb-by" }, "colour by", by);
  const head = element("div", { class: "wb-head" }, back, title, note, element("span", { class: "wb-tools" }, coloured, ...tools, listed, undo, shown));
  const side = element("div", { class: "wb-side" }, catalogue.node, split.node);
  el.replaceChildren(head, code, list.node, strip.node, side);
  el.classList.add("wb-pick-parts");
  const box = el;
  let asList = false;

  function begin(kind, button) {
    chart.sketch?.start(kind);
    tools.forEach((other) => other.setAttribute("aria-pressed", String(other === button)));
  }

  function sketched(area) {
    tools.forEach((other) => other.setAttribute("aria-pressed", "false"));
    if (area) ask({ do: "area", area });
  }

  function update() {
    const page = model.get("page");
    const dataset = page.mode === "dataset";
    const whole = el.closest(".wb-pick");
    if (whole) whole.dataset.mode = page.mode;
    back.hidden = !page.back;
    say(title, page.title);
    say(note, page.busy || page.note || "");
    note.classList.toggle("wb-busy", Boolean(page.busy));
    catalogue.node.hidden = dataset;
    split.node.hidden = !dataset;
    for (const node of [coloured, undo, shown]) node.hidden = !dataset;
    for (const node of tools) node.hidden = !dataset || !page.placed || asList;
    listed.hidden = !dataset || !page.placed;
    listed.setAttribute("aria-pressed", String(asList));
    list.node.hidden = !dataset || (page.placed && !asList);
    whole?.classList.toggle("wb-as-list", !list.node.hidden);
    undo.disabled = !page.undo;
    say(code, page.code);
    if (by.options.length !== page.colours.length || [...by.options].some((option, k) => option.value !== page.colours[k][0])) {
      by.replaceChildren(...page.colours.map(([value, text]) => element("option", { value }, text)));
    }
    by.value = page.coloured;
    if (dataset) split.update();
    else catalogue.update();
    strip.update();
    list.update();
    chart.mark();
  }

  // The traits of one message arrive as changes one by one: draw once for all of them.
  let due = null;
  const dirty = new Set();
  const soon = (what) => { dirty.add(what); due ??= requestAnimationFrame(flush); };
  function flush() {
    due = null;
    if (dirty.has("shapes")) chart.shapes();
    if (dirty.has("shapes") || dirty.has("paint")) chart.paint();
    dirty.clear();
    update();
    if (model.get("flight").number !== flown) fly();
  }
  let flown = 0;
  function fly() {
    if (!chart.map) return;
    const { number, bounds } = model.get("flight");
    flown = number;
    if (bounds) chart.fit([[bounds[1], bounds[0]], [bounds[3], bounds[2] + (bounds[2] < bounds[0] ? 360 : 0)]], [64, 32]);
  }
  const kinds = { corners: "shapes", groups: "shapes", names: "shapes", tints: "paint", palette: "paint", legend: "paint", labels: "paint" };
  const heard = ["corners", "groups", "names", "tints", "palette", "legend", "labels", "page", "regions", "parts", "classes", "options", "message", "audit", "selection", "catalogue", "flight"];
  const hear = heard.map((name) => [`change:${name}`, () => soon(kinds[name] ?? "page")]);
  hear.forEach(([event, act]) => model.on(event, act));
  const told = (message) => { if (message.thumb !== undefined) chart.thumb(message.thumb, message.url); };
  model.on("msg:custom", told);
  const themes = new MutationObserver(() => soon("paint"));
  themes.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light", "class"] });
  const keys = (event) => { if (event.key === "Escape" && model.get("selection").kind && !chart.sketch?.kind) ask({ do: "nothing" }); };
  el.addEventListener("keydown", keys);

  let gone = false;
  requestAnimationFrame(async () => {
    const map = await findMap(model, el);
    if (gone) return;
    chart.attach(map, sketched);
    flown = model.get("flight").number - 1;
    soon("paint");
  });
  update();
  return () => {
    gone = true;
    hear.forEach(([event, act]) => model.off(event, act));
    model.off("msg:custom", told);
    themes.disconnect();
    chart.sketch?.close();
    chart.sizes?.disconnect();
    if (due) cancelAnimationFrame(due);
  };
}

export default { render };
