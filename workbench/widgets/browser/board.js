// The dashboard: a panel for each run, five charts, sample chips, the log and the code.
// All state is in the model; what is here can be thrown away and built again at any time.

const COLOURS = 6;
const BUTTONS = [
  // wish, label, hint, states in which it makes sense, what is said until the kernel answers
  ["pause", "Pause", "Wait after the step under way, with a checkpoint written", ["running"], "pausing after this step…"],
  ["unpause", "Resume", "Go on where it paused", ["paused"], "going on…"],
  ["stop_after_epoch", "Stop after epoch", "End after the epoch under way; wb.resume(run) goes on", ["running", "paused"], "stopping after this epoch…"],
  ["stop", "Stop now", "End after the step under way, with a checkpoint written; wb.resume(run) goes on", ["starting", "running", "paused"], "stopping after this step…"],
];
const CALLS = { pause: "pause()", unpause: "unpause()", stop: "stop()", stop_after_epoch: "stop(after_epoch=True)" };
const ANSWER_MS = 3000;

const percent = (value, long) => long ? `${(value * 100).toFixed(1)} %` : String(+(value * 100).toFixed(1));
const gigabytes = (value, long) => long ? (value / 1e9).toFixed(2) : String(+(value / 1e9).toFixed(2));
const short = (value, long) => long ? value.toPrecision(4) : String(+value.toPrecision(3));
const rate = (value) => value === 0 ? "0" : value.toExponential(1).replace(".0e", "e").replace("+", "");
const colour = (place) => `var(--wb-run-${place % COLOURS})`;

function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

class Panel {
  constructor(place, many, buttons, ask, toggled) {
    this.place = place;
    this.asked = null;
    this.dot = element("i", { class: "wb-dot", style: `background:${colour(place)}` });
    this.name = element("strong", {});
    this.box = element("input", { type: "checkbox", checked: "", onchange: () => toggled() });
    const title = many
      ? element("label", { class: "wb-title", title: "Show or hide its curves" }, this.box, this.dot, this.name)
      : element("span", { class: "wb-title" }, this.name);
    this.state = element("span", { class: "wb-state" });
    this.headline = element("span", { class: "wb-headline" });
    this.answer = element("span", { class: "wb-answer", role: "status" });
    this.buttons = buttons ? BUTTONS.map(([wish, label, hint, states, words]) => {
      const press = () => { this.asked = { words, state: this.now.state }; ask(this.place, wish); this.update(this.now); this.wait(); };
      const node = element("button", { type: "button", class: wish === "stop" ? "wb-button wb-stop" : "wb-button", title: hint, onclick: press }, label);
      return { node, states };
    }) : [];
    this.bar = element("div", {});
    this.progress = element("div", { class: "wb-progress", role: "progressbar", "aria-valuemin": "0", "aria-valuemax": "100" }, this.bar);
    this.bar.style.background = colour(place);
    this.facts = element("div", { class: "wb-facts" });
    this.notice = element("div", { class: "wb-notice", role: "alert", hidden: "" });
    this.node = element("section", { class: "wb-run" },
      element("div", { class: "wb-top" }, title, this.state, this.headline,
        element("span", { class: "wb-buttons" }, this.answer, ...this.buttons.map((button) => button.node))),
      this.progress, this.facts, this.notice);
  }

  get visible() { return this.box.checked; }

  wait() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      if (this.asked) say(this.answer, "The kernel is busy with a cell; it will hear this when the cell ends.");
    }, ANSWER_MS);
  }

  update(now) {
    this.now = now;
    if (this.asked && (now.wish || now.state !== this.asked.state)) this.asked = null;
    say(this.name, now.name);
    say(this.state, now.state);
    this.state.dataset.state = now.state;
    say(this.headline, now.headline);
    say(this.answer, this.asked ? this.asked.words : now.wish);
    this.bar.style.width = `${100 * now.progress}%`;
    this.progress.setAttribute("aria-valuenow", Math.round(100 * now.progress));
    this.progress.setAttribute("aria-label", `progress of ${now.name}`);
    const stopping = Boolean(this.asked || now.wish);
    for (const { node, states } of this.buttons) {
      node.hidden = !states.includes(now.state);
      // A wish for the end of the epoch may still become a wish for now.
      node.disabled = stopping && !(node.classList.contains("wb-stop") && !(this.asked ? this.asked.words : now.wish).includes("stopping after this step"));
    }
    now.facts.forEach((fact, index) => {
      const row = this.facts.children[index] ?? this.facts.appendChild(element("div", {}, ...["span", "b", "small"].map((name) => element(name)), element("meter", { max: "1", high: "0.9", optimum: "0.3" })));
      const [label, value, note, meter] = row.children;
      say(label, fact.label);
      say(value, fact.value);
      say(note, fact.note);
      meter.hidden = fact.share === null;
      if (fact.share !== null) { meter.value = fact.share; meter.title = `${Math.round(100 * fact.share)} % at the peak`; }
    });
    while (this.facts.children.length > now.facts.length) this.facts.lastChild.remove();
    this.notice.hidden = !now.notice.text;
    this.notice.dataset.kind = now.notice.kind ?? "";
    say(this.notice, now.notice.text ?? "");
  }
}

function curves(model, place) {
  const [base, tail] = [model.get(`base${place}`), model.get(`tail${place}`)];
  const joined = (part) => (base[part] ?? []).slice(0, tail[`${part}_from`] ?? Infinity).concat(tail[part] ?? []);
  return { steps: joined("steps"), epochs: joined("epochs") };
}

// In the order of the rows that `_take_epoch` of the follower writes.
const [REGIONS, HELD_OUT, CLASSES] = [5, 6, 7];

const column = (rows, at) => rows.filter((row) => row[at] !== null).map((row) => [row[0], row[at]]);

function lossLines(run, data, tone, alone) {
  const name = (what) => alone ? what : `${run.name}, ${what}`;
  const lines = [];
  if (alone) {
    const thinned = data.steps.some((row) => row[2] !== row[3]);
    lines.push({ name: "each step", colour: tone, look: "faint", quiet: true, points: column(data.steps, 1),
      band: thinned ? data.steps.filter((row) => row[2] !== null).map((row) => [row[0], row[2], row[3]]) : null });
  } else if (!data.epochs.length) {
    lines.push({ name: name("each step"), colour: tone, look: "faint", quiet: true, points: column(data.steps, 1) });
  }
  lines.push({ name: name("training"), colour: tone, look: "dash", points: column(data.epochs, 1) },
    { name: name("validation"), colour: tone, look: "main", points: column(data.epochs, 2) });
  return lines;
}

// With `shades`, the colours of classes, a line for each class, else one for each region.
function scoreLines(run, data, tone, alone, shades) {
  const lines = [];
  const one = (part, at) => (row) => row[part][at] ?? null;
  const points = (get) => data.epochs.map((row) => [row[0], get(row)]).filter((point) => point[1] !== null);
  if (alone) {
    const [names, part] = shades ? [run.classes, CLASSES] : [run.regions, REGIONS];
    names.forEach((name, at) => lines.push({ name, label: name, colour: shades?.[name] ?? "var(--wb-muted)", look: shades ? "fine" : "thin", quiet: true, points: points(one(part, at)) }));
  }
  if (!shades) run.held_out.forEach((name, at) => lines.push({ name: `${alone ? "" : `${run.name}, `}${name} (held out)`, label: name, colour: alone ? "var(--wb-held)" : tone, look: "held", points: points(one(HELD_OUT, at)) }));
  lines.push({ name: alone ? `all ${shades ? "classes" : "regions"}` : run.name, colour: shades ? "var(--wb-ink)" : tone, look: "main", points: column(data.epochs, 3) });
  return lines.filter((line) => line.points.length);
}

function memoryLines(run, data, tone, alone) {
  const device = data.steps.some((row) => row[7] !== null);
  const name = (what) => alone ? what : `${run.name}, ${what}`;
  if (!device) return [{ name: name("host"), colour: tone, look: "fine", quiet: true, points: column(data.steps, 6) }];
  return [{ name: name("device, peak"), colour: tone, look: "dash", quiet: true, points: column(data.steps, 8) },
    { name: name("device, now"), colour: tone, look: "fine", quiet: true, points: column(data.steps, 7) },
    ...(alone ? [{ name: "host", colour: "var(--wb-muted)", look: "thin", quiet: true, points: column(data.steps, 6) }] : [])];
}

// One step says little, and the last one of an epoch has fewer chips.
function calm(points) {
  return points.map(([x], at) => {
    const near = points.slice(Math.max(at - 2, 0), at + 3).map((point) => point[1]).sort((a, b) => a - b);
    return [x, near[near.length >> 1]];
  });
}

function speedLines(run, data, tone, alone) {
  return simple(5)(run, data, tone, alone).map((line) => ({ ...line, points: calm(line.points) }));
}

function unwatched(regions) {
  if (!regions.length) return [];
  const words = regions.length > 1 ? `${regions.length} held-out regions` : regions[0];
  return [element("span", { title: `${regions.join(", ")}: held out, scored once at the end` }, `${words} not watched`)];
}

const simple = (at, steps) => (run, data, tone, alone) =>
  [{ name: alone ? "" : run.name, colour: tone, look: "fine", quiet: true, steps, points: column(data.steps, at) }];

function key(look, words, tone = "var(--wb-muted)") {
  return element("span", {}, element("i", { class: `wb-key wb-key-${look}`, style: `border-color:${tone}` }), words);
}

function render({ model, el }) {
  const many = model.get("runs").length > 1;
  const ask = (run, wish) => {
    model.send({ run, wish });
    const which = many ? `[${run}]` : "";
    say(action, `\nrun${which}.${CALLS[wish]}`);
  };
  const charts = {
    loss: new Chart("Loss", { height: 224, format: short, floor: 0 }),
    score: new Chart("Validation mIoU (%)", { height: 224, format: percent, labels: true, least: 0.01, empty: "after the first epoch" }),
    rate: new Chart("Learning rate", { height: 116, format: rate, floor: 0 }),
    memory: new Chart("Memory (GB)", { height: 116, format: gigabytes, floor: 0, least: 1e7 }),
    speed: new Chart("Speed (chips/s)", { height: 116, format: short, floor: 0 }),
  };
  charts.loss.cut = true;
  charts.loss.toggle("log", "Logarithmic axis: small losses tell apart", (on) => { charts.loss.log = on; charts.loss.soon(); });
  let byClass = false;
  const classes = charts.score.toggle("by class", "A line for each class instead of each region: its IoU", (on) => { byClass = on; plot(); });
  const makers = { loss: lossLines, score: scoreLines, rate: simple(4, true), memory: memoryLines, speed: speedLines };
  const panels = model.get("runs").map((_, place) => new Panel(place, many, model.get("buttons"), ask, () => plot()));
  const chips = element("div", { class: "wb-chips" });
  const log = element("div", { class: "wb-log", role: "log", tabindex: "0", "aria-label": "Warnings and changes of state" });
  const action = element("span");
  const root = element("div", { class: `wb-board${many ? " wb-many" : ""}`, "data-lm-suppress-shortcuts": "true" },
    element("div", { class: "wb-gone", role: "alert" }, "The kernel of this view is gone, and it stands still. Run its cell again to go on watching; a training in a process of its own goes on."),
    element("div", { class: "wb-runs" }, ...panels.map((panel) => panel.node)),
    element("div", { class: "wb-charts wb-large" }, charts.loss.node, charts.score.node),
    element("div", { class: "wb-charts wb-small" }, charts.rate.node, charts.memory.node, charts.speed.node),
    chips, log,
    element("details", { class: "wb-code" }, element("summary", {}, "Code"), element("pre", {}, model.get("code"), action)));

  function plot() {
    const runs = model.get("runs");
    const shown = runs.map((run, place) => ({ run, place, data: curves(model, place) })).filter(({ place }) => panels[place].visible);
    const alone = shown.length === 1;
    const done = Math.max(0, ...shown.map(({ data }) => data.steps.at(-1)?.[0] ?? data.epochs.at(-1)?.[0] ?? 0));
    classes.hidden = !alone || !shown[0].run.classes.length;
    const shades = byClass && !classes.hidden ? Object.fromEntries((model.get("chips").legend ?? []).map((shade) => [shade.name, shade.colour])) : null;
    const tone = (place) => (shades ? "var(--wb-ink)" : colour(place)); // a class may be as blue as a run
    const xMax = reach(done, Math.max(0, ...shown.map(({ run }) => run.epochs)));
    for (const [name, make] of Object.entries(makers)) {
      charts[name].draw({ xMax, marks: [], levels: [], lines: shown.flatMap(({ run, place, data }) => make(run, data, colour(place), alone, shades)) });
    }
    charts.score.marks = shown.flatMap(({ place, data }) => data.epochs.filter((row) => row[4] && row[3] !== null).slice(-1).map((row) => ({ x: row[0], y: row[3], colour: tone(place) })));
    charts.memory.levels = alone && shown[0].run.capacity ? [{ value: shown[0].run.capacity, name: "capacity" }] : [];
    charts.loss.legend.replaceChildren(key("main", "validation"), key("dash", "training"), ...(alone ? [key("faint", "each step")] : []));
    const device = shown.some(({ data }) => data.steps.some((row) => row[7] !== null));
    say(charts.memory.title, device ? "Device memory (GB)" : "Host memory (GB)");
    const held = !shades && shown.some(({ run }) => run.held_out.length);
    charts.score.legend.replaceChildren(...(alone ? [key("main", "training regions", tone(shown[0].place)), key("thin", shades ? "IoU of each class" : "each")] : []),
      element("span", {}, element("i", { class: "wb-best" }), "best epoch"), ...(held ? [key("held", "held out, watched", "var(--wb-held)")] : []),
      ...(alone ? unwatched(shown[0].run.unwatched) : []));
  }

  function update() {
    model.get("runs").forEach((now, place) => panels[place].update(now));
    plot();
  }

  function showChips() {
    const { titles, cards, legend } = model.get("chips");
    chips.hidden = !cards;
    if (!cards) return;
    const count = titles.length;
    chips.replaceChildren(
      element("div", { class: "wb-chart-title" }, "Validation chips, as the newest epoch sees them"),
      element("div", { class: "wb-cards", style: `--wb-count:${count}` }, ...cards.map((card) =>
        element("figure", { class: "wb-card", title: card.id }, ...card.pictures.map((url, at) =>
          element("div", {}, element("img", { src: url, alt: `${titles[at]} of ${card.id}`, decoding: "sync" }), element("small", { title: titles[at] }, titles[at]))),
          element("figcaption", {}, card.name)))),
      element("div", { class: "wb-legend wb-shades" }, ...legend.map((shade) => element("span", {}, element("i", { style: `background:${shade.colour}` }), shade.name))));
  }

  function showLog() {
    const low = log.scrollHeight - log.scrollTop - log.clientHeight < 8;
    log.replaceChildren(...model.get("lines").map((line) => element("div", { class: `wb-${line.level}` },
      element("time", {}, new Date(line.time * 1000).toLocaleTimeString([], { hour12: false })), ...(many ? [element("b", {}, line.run)] : []),
      element("span", {}, (line.level === "info" || /^(warning|error):/.test(line.text) ? "" : `${line.level}: `) + line.text))));
    log.hidden = !log.children.length;
    if (low) log.scrollTop = log.scrollHeight;
  }

  // The traits of one message arrive as changes one by one: draw once for all of them.
  let due = null;
  const soon = () => { due ??= requestAnimationFrame(() => { due = null; update(); }); };
  const parts = panels.flatMap((_, place) => [`change:base${place}`, `change:tail${place}`]);
  for (const change of ["change:runs", ...parts]) model.on(change, soon);
  model.on("change:chips", showChips);
  model.on("change:lines", showLog);
  // Nobody tells a widget that its kernel is gone: JupyterLab's kernel says it, elsewhere there is none.
  const kernel = model.widget_manager?.kernel;
  const listen = (_, status) => { if (["restarting", "autorestarting", "dead"].includes(status)) root.classList.add("wb-left"); };
  kernel?.statusChanged?.connect(listen);
  el.replaceChildren(root);
  update();
  showChips();
  showLog();
  log.scrollTop = log.scrollHeight;
  return () => {
    for (const change of ["change:runs", ...parts]) model.off(change, soon);
    model.off("change:chips", showChips);
    model.off("change:lines", showLog);
    if (due) cancelAnimationFrame(due);
    kernel?.statusChanged?.disconnect(listen);
    Object.values(charts).forEach((chart) => chart.close());
    panels.forEach((panel) => clearTimeout(panel.timer));
  };
}

export default { render };
