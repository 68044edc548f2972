// Drawing a box or a polygon on a Leaflet map with the mouse; Enter ends it, Escape gives it up.

class Sketch {
  constructor(L, map, ended) {
    Object.assign(this, { L, map, ended, kind: null, points: [] });
    this.look = { color: "#d55e00", weight: 2, dashArray: "5 4", fillOpacity: 0.12, interactive: false };
    const listen = (name, act) => map.on(name, (event) => this.kind && act.call(this, event));
    listen("mousedown", this.down);
    listen("mousemove", this.move);
    listen("mouseup", this.up);
    listen("click", this.click);
    listen("dblclick", this.finish);
    this.keys = (event) => {
      if (!this.kind) return;
      if (event.key === "Escape") this.stop();
      else if (event.key === "Enter") this.finish();
      else return;
      event.preventDefault();
      event.stopPropagation();
    };
    window.addEventListener("keydown", this.keys, true);
  }

  start(kind) {
    this.stop();
    this.clear();
    this.kind = kind;
    this.map.dragging.disable();
    this.map.doubleClickZoom.disable();
    this.map.getContainer().classList.add("wb-sketching");
  }

  stop() {
    if (!this.kind) return;
    this.kind = null;
    if (this.points.length) this.clear();
    this.points = [];
    this.map.dragging.enable();
    this.map.doubleClickZoom.enable();
    this.map.getContainer().classList.remove("wb-sketching");
    this.ended(null);
  }

  // Whether the click that ends a drawing is still on its way.
  get ending() { return performance.now() - (this.last ?? -Infinity) < 400; }

  clear() {
    this.drawn?.remove();
    this.drawn = null;
  }

  close() {
    window.removeEventListener("keydown", this.keys, true);
  }

  show(points) {
    this.clear();
    const shape = this.kind === "box" ? this.L.rectangle(points, this.look) : this.L.polygon(points, this.look);
    this.drawn = shape.addTo(this.map);
  }

  down(event) { if (this.kind === "box") this.points = [event.latlng]; }

  move(event) { if (this.points.length) this.show([...this.points, event.latlng]); }

  up(event) {
    if (this.kind !== "box" || !this.points.length) return;
    this.show([this.points[0], event.latlng]);
    const box = this.drawn.getBounds();
    this.done([box.getWest(), box.getSouth(), box.getEast(), box.getNorth()]);
  }

  click(event) {
    if (this.kind !== "polygon") return;
    const near = (point) => this.map.latLngToContainerPoint(point).distanceTo(event.containerPoint) < 8;
    if (this.points.length > 2 && near(this.points[0])) return this.finish();
    if (!this.points.length || !near(this.points.at(-1))) this.points.push(event.latlng);
    this.show(this.points);
  }

  finish() {
    if (this.kind !== "polygon" || this.points.length < 3) return;
    this.show(this.points);
    this.done(this.points.map((point) => [point.lng, point.lat]));
  }

  done(area) {
    this.points = []; // what is drawn stays until something is done with it
    const kind = this.kind;
    this.last = performance.now();
    this.stop();
    const wide = kind === "box" ? Math.min(area[2] - area[0], area[3] - area[1]) > 0 : true;
    if (wide) this.ended(area);
    else this.clear();
  }
}
