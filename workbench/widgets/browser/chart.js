// A small chart: lines over epochs, drawn as SVG whose colours are CSS variables, so that a change
// of theme needs no new drawing. `draw` may be called at any time; it is done once a frame.

function niceStep(range, count) {
  const rough = range / Math.max(count, 1);
  const power = 10 ** Math.floor(Math.log10(rough || 1));
  return [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((step) => step >= rough * 0.999);
}

function ticks(low, high, count, least = 0) {
  const step = Math.max(niceStep(high - low || 1, count), least);
  const found = [];
  for (let k = Math.ceil(low / step - 1e-6); k * step <= high + step * 1e-6; k++) found.push(k * step);
  return found;
}

// Ticks of an axis that is logarithmic: 1, 2 and 5 of each power, less where that are many, and
// evenly spaced numbers where it covers little.
function logTicks(low, high, count) {
  if (high / low < 8) return ticks(low, high, count);
  const powers = Math.log10(high / low);
  const found = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power += Math.max(Math.ceil(powers / count), 1)) {
    for (const factor of powers > 0.7 * count ? [1] : [1, 2, 5]) found.push(factor * 10 ** power);
  }
  return found.filter((tick) => tick >= low * 0.999 && tick <= high * 1.001);
}

// The axis of epochs grows in few jumps, so that a chart is calm and yet never mostly empty.
function reach(done, planned) {
  const steps = [1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 60, 80, 100];
  let power = 1;
  while (done > 100 * power) power *= 10;
  const wished = steps.map((step) => step * power).find((step) => step >= done * 1.05) ?? done * 1.1;
  return Math.max(planned ? Math.min(wished, Math.max(planned, done)) : wished, 1);
}

function spread(places, gap, low, high) {
  const order = places.map((_, index) => index).sort((a, b) => places[a] - places[b]);
  const moved = order.map((index) => places[index]);
  for (let round = 0; round < 80; round++) {
    for (let k = 1; k < moved.length; k++) {
      const overlap = gap - (moved[k] - moved[k - 1]);
      if (overlap > 0.01) { moved[k - 1] -= overlap / 2; moved[k] += overlap / 2; }
    }
    if (moved[0] < low) moved[0] = low;
    if (moved[moved.length - 1] > high) moved[moved.length - 1] = high;
  }
  for (let k = 1; k < moved.length; k++) moved[k] = Math.max(moved[k], moved[k - 1] + gap);
  for (let k = moved.length - 1, most = high; k >= 0; k--, most = moved[k + 1] - gap) moved[k] = Math.min(moved[k], most);
  const result = [];
  order.forEach((index, rank) => { result[index] = moved[rank]; });
  return result;
}

function nearest(points, x) {
  let low = 0;
  let high = points.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (points[middle][0] < x) low = middle; else high = middle;
  }
  if (high < 0) return null;
  return Math.abs(points[low][0] - x) <= Math.abs(points[high][0] - x) ? points[low] : points[high];
}

class Chart {
  // lines: {name, colour, points: [[x, y]], look: "main" | "thin" | "faint" | "dash" | "held",
  //         label, steps, band: [[x, low, high]], quiet}
  // least: the smallest distance of two ticks that `format` tells apart
  // empty: what stands there until there is a point
  constructor(title, { height, format, floor = null, labels = false, least = 0, empty = "after the first step" }) {
    Object.assign(this, { height, format, floor, labels, least, empty, log: false, lines: [], marks: [], levels: [] });
    this.legend = element("span", { class: "wb-legend" });
    this.svg = element("svg:svg", { role: "img", "aria-label": title, tabindex: "0" });
    this.tip = element("div", { class: "wb-tip", hidden: "" });
    this.plot = element("div", { class: "wb-plot" }, this.svg, this.tip);
    this.title = element("span", { class: "wb-chart-title" }, title);
    this.node = element("figure", { class: "wb-chart" },
      element("figcaption", {}, this.title, this.legend), this.plot);
    this.plot.style.height = `${height}px`;
    this.svg.addEventListener("pointermove", (event) => {
      const box = this.svg.getBoundingClientRect();
      this.point((event.clientX - box.left - this.left) / this.wide * this.xMax);
    });
    for (const gone of ["pointerleave", "blur"]) this.svg.addEventListener(gone, () => this.point(null));
    this.svg.addEventListener("keydown", (event) => {
      const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (event.key === "Escape") this.point(null);
      if (!move) return;
      event.preventDefault();
      const from = this.at ?? (move > 0 ? 0 : this.xMax);
      this.point(Math.min(Math.max(from + move * this.xMax / 40, 0), this.xMax));
    });
    this.observer = new ResizeObserver(() => this.soon());
    this.observer.observe(this.plot);
  }

  // A switch beside the title; `act` hears whether it is on.
  toggle(text, hint, act) {
    const node = element("button", { type: "button", class: "wb-toggle", title: hint, "aria-pressed": "false", onclick: () => {
      const on = node.getAttribute("aria-pressed") !== "true";
      node.setAttribute("aria-pressed", String(on));
      act(on);
    } }, text);
    this.title.append(node);
    return node;
  }

  draw(content) {
    Object.assign(this, content);
    this.soon();
  }

  soon() {
    this.frame ??= requestAnimationFrame(() => { this.frame = null; this.paint(); });
  }

  close() {
    this.observer.disconnect();
    if (this.frame) cancelAnimationFrame(this.frame);
  }

  paint() {
    const width = this.plot.clientWidth;
    if (!width) return;
    const [low, high] = this.range();
    const bare = this.lines.every((line) => !line.points.length);
    const count = this.height > 150 ? 5 : 3;
    const yTicks = bare ? [] : this.log ? logTicks(low, high, count) : ticks(low, high, count, this.least);
    const digits = Math.max(...yTicks.map((tick) => this.format(tick).length), 2);
    const named = this.labels && width > 320 ? this.lines.filter((line) => line.label) : [];
    this.left = 8 + 6.4 * digits;
    this.wide = width - this.left - (named.length ? 96 : 10);
    const [top, tall] = [8, this.height - 8 - 20];
    const x = (value) => this.left + value / this.xMax * this.wide;
    const along = this.log ? Math.log : (value) => value;
    const y = (value) => top + (along(high) - along(value)) / (along(high) - along(low) || 1) * tall;
    const parts = [];
    for (const tick of yTicks) {
      parts.push(element("svg:line", { class: "wb-grid", x1: this.left, x2: this.left + this.wide, y1: y(tick), y2: y(tick) }),
        element("svg:text", { class: "wb-tick", x: this.left - 6, y: y(tick) + 3.5, "text-anchor": "end" }, this.format(tick)));
    }
    if (bare) parts.push(element("svg:text", { class: "wb-tick", x: this.left + this.wide / 2, y: top + tall / 2, "text-anchor": "middle" }, this.empty));
    for (const tick of ticks(0, this.xMax, Math.min(this.wide / 45, 8)).filter((tick) => tick % 1 === 0)) {
      parts.push(element("svg:text", { class: "wb-tick", x: x(tick), y: this.height - 4, "text-anchor": "middle" }, tick ? String(tick) : "epoch 0"));
    }
    for (const level of this.levels.filter((level) => level.value <= high)) {
      parts.push(element("svg:line", { class: "wb-level", x1: this.left, x2: this.left + this.wide, y1: y(level.value), y2: y(level.value) }),
        element("svg:text", { class: "wb-tick", x: this.left + this.wide, y: y(level.value) - 4, "text-anchor": "end" }, level.name));
    }
    const clip = (value) => Math.min(Math.max(value, top - 1), top + tall + 1);
    this.scale = { x, y: (value) => clip(y(value)), top, tall };
    for (const line of this.lines) {
      if (line.band) {
        const upper = line.band.map(([at, , most]) => `${x(at).toFixed(1)},${clip(y(most)).toFixed(1)}`);
        const lower = line.band.map(([at, least]) => `${x(at).toFixed(1)},${clip(y(least)).toFixed(1)}`).reverse();
        parts.push(element("svg:polygon", { class: "wb-band", points: [...upper, ...lower].join(" "), style: `fill:${line.colour}` }));
      }
      let path = "";
      line.points.forEach(([at, value], index) => {
        const place = `${x(at).toFixed(1)},${clip(y(value)).toFixed(1)}`;
        if (index && line.steps) path += `H${x(at).toFixed(1)}`;
        path += `${index ? "L" : "M"}${place}`;
      });
      parts.push(element("svg:path", { class: `wb-line wb-${line.look}`, d: path, style: `stroke:${line.colour}` }));
      // What has no length yet is seen as a point; a hollow one is training, as its line is dotted.
      if (line.points.length < (line.quiet ? 2 : 4)) {
        for (const [at, value] of line.points) {
          const style = line.look === "dash" ? `fill:var(--wb-surface);stroke:${line.colour}` : `fill:${line.colour}`;
          parts.push(element("svg:circle", { cx: x(at), cy: clip(y(value)), r: line.look === "thin" ? 1.8 : 2.6, style }));
        }
      }
    }
    for (const mark of this.marks) {
      parts.push(element("svg:circle", { class: "wb-mark", cx: x(mark.x), cy: y(mark.y), r: 4.5, style: `fill:${mark.colour}` }));
    }
    if (named.length) parts.push(...this.names(named, x, y, top, tall));
    this.cursor = element("svg:g", {});
    this.svg.setAttribute("viewBox", `0 0 ${width} ${this.height}`);
    this.svg.replaceChildren(...parts, this.cursor);
    this.point(this.at ?? null);
  }

  names(named, x, y, top, tall) {
    const fitting = named.slice(0, Math.floor(tall / 11));
    const ends = fitting.map((line) => line.points[line.points.length - 1]);
    const places = spread(ends.map((end) => y(end[1])), 11, top, top + tall);
    return fitting.map((line, index) => element("svg:text", {
      class: `wb-name wb-name-${line.look}`, x: x(ends[index][0]) + 8, y: places[index] + 3.5,
      // The colour of a class may be too pale to be read.
      style: line.look === "held" ? `fill:${line.colour}` : null,
    }, line.label.length > 17 ? `${line.label.slice(0, 16)}…` : line.label));
  }

  range() {
    const values = this.lines.flatMap((line) => line.points.map((point) => point[1]));
    if (!values.length) return [this.floor ?? 0, (this.floor ?? 0) + 1];
    values.sort((a, b) => a - b);
    if (this.log) {
      const least = values.find((value) => value > 0) ?? 0.1;
      return [least / 1.1, Math.max(values[values.length - 1], least) * 1.1];
    }
    // The first steps of a fresh decoder would flatten everything that follows.
    const high = this.cut ? values[Math.floor((values.length - 1) * 0.98)] * 1.15 : values[values.length - 1];
    const low = this.floor ?? values[0];
    const step = Math.max(niceStep((high - low) || Math.abs(high) * 0.1 || 1, this.height > 150 ? 5 : 3), this.least);
    const bottom = this.floor ?? Math.floor(2 * low / step - 1e-9) * step / 2;
    return [bottom, Math.max(Math.ceil(high / step + 0.05) * step, bottom + step)];
  }

  point(at) {
    this.at = at;
    const shown = this.lines.filter((line) => line.points.length);
    this.tip.hidden = at === null || !shown.length || !this.scale;
    this.cursor?.replaceChildren();
    if (this.tip.hidden || !this.cursor) return;
    const main = shown.find((line) => line.look === "main" || line.look === "fine") ?? shown[0];
    const where = nearest(main.points, Math.min(Math.max(at, 0), this.xMax))[0];
    const { x, y, top, tall } = this.scale;
    this.cursor.append(element("svg:line", { class: "wb-cursor", x1: x(where), x2: x(where), y1: top, y2: top + tall }));
    const rows = shown.map((line) => {
      const [found, value] = nearest(line.points, where);
      const near = Math.abs(found - where) < Math.max(this.xMax / 40, 0.51);
      if (near) this.cursor.append(element("svg:circle", { cx: x(found), cy: y(value), r: 3, style: `fill:${line.colour}` }));
      return near ? { line, value } : null;
    }).filter(Boolean).sort((a, b) => b.value - a.value).slice(0, 14);
    this.tip.replaceChildren(element("b", {}, `epoch ${+where.toFixed(2)}`),
      ...rows.map(({ line, value }) => element("div", {},
        element("i", { style: `background:${line.colour}` }), element("span", {}, line.name),
        element("em", {}, this.format(value, true)))));
    const right = x(where) > this.plot.clientWidth / 2;
    this.tip.style.left = right ? "" : `${x(where) + 12}px`;
    this.tip.style.right = right ? `${this.plot.clientWidth - x(where) + 12}px` : "";
  }
}
