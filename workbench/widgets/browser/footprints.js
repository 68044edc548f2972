// Footprints on a Leaflet map: all of them on one canvas, so that ten thousand pan smoothly, and a
// new colour costs one byte each. Where they would be smaller than a few pixels, those of one region
// that lie close together are drawn as one pie of their colours.

const CELL = 34; // pixels within which the chips of one region make one pie
const SMALLEST = 4; // pixels a footprint must measure to be drawn as itself
const HIDDEN = 255; // the colour of what is filtered away
const PADDING = 0.35; // of the map's size is drawn beyond each edge, which a pan brings into sight
const TURN = 2 * Math.PI;

function mercator(lon, lat) {
  const sine = Math.sin((Math.max(-85.05, Math.min(85.05, lat)) * Math.PI) / 180);
  return [lon / 360 + 0.5, 0.5 - Math.log((1 + sine) / (1 - sine)) / (2 * TURN)];
}

// Outlines of four corners in units of the world's width, and the groups (regions) they belong to.
class Shapes {
  constructor(corners, groups) {
    this.groups = groups;
    this.count = groups.length;
    this.xy = new Float64Array(8 * this.count);
    this.boxes = new Float64Array(4 * this.count);
    this.extent = []; // of each group: west, north, east, south
    const sizes = [];
    for (let k = 0; k < this.count; k++) {
      const box = [Infinity, Infinity, -Infinity, -Infinity];
      for (let c = 8 * k; c < 8 * k + 8; c += 2) {
        const [x, y] = mercator(corners[c], corners[c + 1]);
        this.xy[c] = x;
        this.xy[c + 1] = y;
        box[0] = Math.min(box[0], x); box[1] = Math.min(box[1], y);
        box[2] = Math.max(box[2], x); box[3] = Math.max(box[3], y);
      }
      this.boxes.set(box, 4 * k);
      if (!this.placed(k)) continue;
      sizes.push(Math.max(box[2] - box[0], box[3] - box[1]));
      const all = (this.extent[groups[k]] ??= [Infinity, Infinity, -Infinity, -Infinity]);
      for (const edge of [0, 1]) {
        all[edge] = Math.min(all[edge], box[edge]);
        all[edge + 2] = Math.max(all[edge + 2], box[edge + 2]);
      }
    }
    this.size = sizes.sort((a, b) => a - b)[sizes.length >> 1] ?? 0;
  }

  placed(k) { return this.boxes[4 * k] === this.boxes[4 * k]; } // NaN: not on the map

  contains(k, x, y) {
    if (x < this.boxes[4 * k] || x > this.boxes[4 * k + 2] || y < this.boxes[4 * k + 1] || y > this.boxes[4 * k + 3]) return false;
    let inside = false;
    for (let i = 0, j = 3; i < 4; j = i++) {
      const [xi, yi, xj, yj] = [this.xy[8 * k + 2 * i], this.xy[8 * k + 2 * i + 1], this.xy[8 * k + 2 * j], this.xy[8 * k + 2 * j + 1]];
      if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) inside = !inside;
    }
    return inside;
  }
}

function footprintLayer(L) {
  return L.Layer.extend({
    initialize(pane) {
      this._pane = pane;
      this.shapes = new Shapes([], []);
      this.tints = [];
      this.look = { colours: [], ink: "#000", surface: "#fff", labels: [] };
      this._pies = [];
    },

    onAdd(map) {
      this._canvas = L.DomUtil.create("canvas", "leaflet-zoom-animated", map.getPane(this._pane));
      this.redraw();
    },

    onRemove() { this._canvas.remove(); },

    getEvents() {
      return {
        moveend: this.redraw, viewreset: this.redraw, resize: this.redraw,
        zoom: () => this._follow(this._map.getCenter(), this._map.getZoom()),
        zoomanim: (event) => this._follow(event.center, event.zoom),
      };
    },

    // While the map zooms the canvas is stretched; the same arithmetic as in Leaflet's renderers.
    _follow(center, zoom) {
      const scale = this._map.getZoomScale(zoom, this._zoom);
      const half = this._map.getSize().multiplyBy(0.5 + PADDING);
      const corner = half.multiplyBy(-scale).add(this._map.project(this._center, zoom)).subtract(this._map._getNewPixelOrigin(center, zoom));
      L.DomUtil.setTransform(this._canvas, corner, scale);
    },

    redraw() {
      if (!this._map || this._map._animatingZoom) return;
      const [map, ratio] = [this._map, window.devicePixelRatio || 1];
      const size = map.getSize().multiplyBy(1 + 2 * PADDING).round();
      const corner = map.getSize().multiplyBy(-PADDING).round();
      [this._center, this._zoom] = [map.getCenter(), map.getZoom()];
      L.DomUtil.setTransform(this._canvas, map.containerPointToLayerPoint(corner), 1);
      if (this._canvas.width !== size.x * ratio || this._canvas.height !== size.y * ratio) {
        Object.assign(this._canvas, { width: size.x * ratio, height: size.y * ratio });
        Object.assign(this._canvas.style, { width: `${size.x}px`, height: `${size.y}px` });
      }
      const brush = this._canvas.getContext("2d");
      brush.setTransform(ratio, 0, 0, ratio, 0, 0);
      brush.clearRect(0, 0, size.x, size.y);
      const world = map.options.crs.scale(this._zoom);
      const origin = map.getPixelBounds().min.add(corner);
      this._pies = [];
      this.single = this.shapes.size * world >= SMALLEST;
      for (const turn of [-1, 0, 1]) {
        const view = { world, x: origin.x - turn * world, y: origin.y, width: size.x, height: size.y, turn };
        if (view.x > 1.5 * world || view.x + size.x < -0.5 * world) continue;
        if (this.single) this._outlines(brush, view);
        else this._cells(view);
      }
      if (!this.single) this._drawPies(brush);
    },

    _outlines(brush, view) {
      const { boxes, xy, count } = this.shapes;
      const visible = this.look.colours.map(() => []);
      for (let k = 0; k < count; k++) {
        if (boxes[4 * k + 2] * view.world < view.x || boxes[4 * k] * view.world > view.x + view.width) continue;
        if (boxes[4 * k + 3] * view.world < view.y || boxes[4 * k + 1] * view.world > view.y + view.height) continue;
        visible[this.tints[k]]?.push(k);
      }
      const large = this.shapes.size * view.world;
      visible.forEach((members, tint) => {
        brush.beginPath();
        for (const k of members) {
          brush.moveTo(xy[8 * k] * view.world - view.x, xy[8 * k + 1] * view.world - view.y);
          for (let c = 8 * k + 2; c < 8 * k + 8; c += 2) brush.lineTo(xy[c] * view.world - view.x, xy[c + 1] * view.world - view.y);
          brush.closePath();
        }
        brush.fillStyle = brush.strokeStyle = this.look.colours[tint];
        brush.globalAlpha = large > 12 ? 0.42 : 0.75;
        brush.fill();
        brush.globalAlpha = 0.95;
        brush.lineWidth = large > 12 ? 1.2 : 0.6;
        brush.stroke();
      });
      brush.globalAlpha = 1;
    },

    // Cells are counted from the middle of each region, so that a compact one is a single pie.
    _cells(view) {
      const { boxes, groups, extent, count } = this.shapes;
      const cells = new Map();
      for (let k = 0; k < count; k++) {
        const tint = this.tints[k];
        if (tint === HIDDEN || !this.shapes.placed(k)) continue;
        const [x, y] = [(boxes[4 * k] + boxes[4 * k + 2]) / 2, (boxes[4 * k + 1] + boxes[4 * k + 3]) / 2];
        const all = extent[groups[k]];
        const column = Math.round(((x - (all[0] + all[2]) / 2) * view.world) / CELL);
        const row = Math.round(((y - (all[1] + all[3]) / 2) * view.world) / CELL);
        const key = `${groups[k]}/${column}/${row}`;
        let cell = cells.get(key);
        if (!cell) cells.set(key, (cell = { group: groups[k], first: k, x: 0, y: 0, count: 0, tints: new Map() }));
        cell.x += x; cell.y += y; cell.count += 1;
        cell.tints.set(tint, (cell.tints.get(tint) ?? 0) + 1);
      }
      for (const cell of cells.values()) {
        [cell.x, cell.y] = [cell.x / cell.count, cell.y / cell.count];
        cell.px = cell.x * view.world - view.x;
        cell.py = cell.y * view.world - view.y;
        cell.radius = Math.min(4.5 + Math.log2(1 + cell.count), 14);
        cell.turn = view.turn;
        this._pies.push(cell);
      }
    },

    _drawPies(brush) {
      this._pies.sort((a, b) => b.count - a.count);
      for (const pie of this._pies) {
        let angle = -TURN / 4;
        for (const [tint, share] of [...pie.tints].sort((a, b) => a[0] - b[0])) {
          const end = angle + (TURN * share) / pie.count;
          brush.beginPath();
          if (pie.tints.size > 1) brush.moveTo(pie.px, pie.py);
          brush.arc(pie.px, pie.py, pie.radius, angle, end);
          brush.fillStyle = this.look.colours[tint] ?? "#888";
          brush.fill();
          angle = end;
        }
        brush.beginPath();
        brush.arc(pie.px, pie.py, pie.radius + 0.5, 0, TURN);
        brush.lineWidth = 1.5;
        brush.strokeStyle = this.look.surface;
        brush.stroke();
      }
      this._drawLabels(brush);
    },

    // One name for each region, beside its largest pie, where no other is in the way.
    _drawLabels(brush) {
      const taken = this._pies.map((pie) => [pie.px - pie.radius, pie.py - pie.radius, pie.px + pie.radius, pie.py + pie.radius]);
      const named = new Set();
      const [left, width0] = [this._map.getSize().x * PADDING, this._map.getSize().x];
      brush.font = `600 11.5px ${this.look.font}`;
      brush.textBaseline = "middle";
      brush.lineJoin = "round";
      for (const pie of this._pies) {
        const text = this.look.labels[pie.group];
        const key = `${pie.group}/${pie.turn}`;
        if (!text || named.has(key)) continue;
        named.add(key);
        const width = brush.measureText(text).width;
        for (const [dx, dy] of [[pie.radius + 5, 0], [-pie.radius - 5 - width, 0], [-width / 2, -pie.radius - 9], [-width / 2, pie.radius + 9]]) {
          const box = [pie.px + dx - 2, pie.py + dy - 7, pie.px + dx + width + 2, pie.py + dy + 7];
          if (pie.px > left && pie.px < left + width0 && (box[0] < left || box[2] > left + width0)) continue; // cut at the map's edge
          if (taken.some((other) => box[0] < other[2] && box[2] > other[0] && box[1] < other[3] && box[3] > other[1])) continue;
          taken.push(box);
          brush.strokeStyle = this.look.surface;
          brush.lineWidth = 3;
          brush.strokeText(text, pie.px + dx, pie.py + dy);
          brush.fillStyle = this.look.ink;
          brush.fillText(text, pie.px + dx, pie.py + dy);
          break;
        }
      }
    },

    // What lies under a place of the map: { shape } or { group }, or null.
    at(latlng) {
      const world = this._map.options.crs.scale(this._map.getZoom());
      const [x, y] = mercator(latlng.lng, latlng.lat);
      if (this.single) {
        for (const turn of [0, -1, 1]) {
          for (let k = this.shapes.count - 1; k >= 0; k--) {
            if (this.tints[k] !== HIDDEN && this.shapes.contains(k, x + turn, y)) return { shape: k, group: this.shapes.groups[k] };
          }
        }
        return null;
      }
      // Small pies are drawn last and lie on top.
      for (const pie of [...this._pies].reverse()) {
        const [dx, dy] = [(pie.x + pie.turn - x) * world, (pie.y - y) * world];
        if (Math.hypot(dx, dy) <= pie.radius + 3) return { group: pie.group, count: pie.count, shape: pie.count === 1 ? pie.first : undefined };
      }
      return null;
    },

    bounds(group) {
      const all = this.shapes.extent[group];
      if (!all) return null;
      const latitude = (y) => (Math.atan(Math.sinh(Math.PI * (1 - 2 * y))) * 180) / Math.PI;
      return L.latLngBounds([latitude(all[3]), 360 * (all[0] - 0.5)], [latitude(all[1]), 360 * (all[2] - 0.5)]);
    },

    outline(shape) {
      const latitude = (y) => (Math.atan(Math.sinh(Math.PI * (1 - 2 * y))) * 180) / Math.PI;
      return [0, 1, 2, 3].map((c) => [latitude(this.shapes.xy[8 * shape + 2 * c + 1]), 360 * (this.shapes.xy[8 * shape + 2 * c] - 0.5)]);
    },
  });
}
