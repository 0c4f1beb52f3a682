// One array: its facts, and its values as slices along two of its axes, as a map, a curve or points, with a slider for each other axis.

import { Frame, sideName, textsOf, visible } from "./frame.mjs";
import { showHistogram } from "./histogram.mjs";
import { axisName, labelled, made, shown, slider } from "./made.mjs";
import { offerMultiples, showMultiples } from "./multiples.mjs";
import { paint, paintCurve, paintLegend, paintOver, paintPoints, stepFor } from "./paint.mjs";
import { distancesOf, ofBoxes, ofWhole, rangeOf, sides } from "./slices.mjs";
import { wordsOf } from "./tree.mjs";

const WIDTH = 560;
const MULTIPLES = 16;
const VIEWS = { map: "a map", curve: "a curve", points: "points", distances: "distances between points" };
const SPACE = 3;
const MUCH = 64 << 20; // bytes, and
const MANY = 64; // reads, beyond which a slice is read when a button is pressed
const STEPS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

function tableOf(rows) {
  const table = made("table");
  for (const [name, value] of rows) table.insertRow().append(made("th", name, { scope: "row" }), made("td", value));
  return table;
}

const attributesOf = (node) => Object.entries(node.attributes).map(([name, value]) => [name, JSON.stringify(value).slice(0, 200)]);

/** Shows the attributes of a group in `place`. */
export const showGroup = (place, node) => place.replaceChildren(tableOf(attributesOf(node)));

function facts(node) {
  const { storage } = node;
  const rows = [["dtype", node.dtype], ["bytes", node.bytes.toLocaleString("en")], ...node.shape.map((size, axis) => [axisName(node, axis), size])];
  if (storage) rows.push(["chunks", `${storage.chunk_count} of ${storage.chunks.join(" × ")}`], ["codecs", storage.codecs.join(", ")]);
  for (const [name, value] of attributesOf(node)) rows.push([`attribute ${name}`, value]);
  return tableOf(rows);
}

/** Shows an array in `place`. `load` reads its values, null where they are not read here; `more` is {view, bounds, labels, kept}. */
export function showArray(place, node, load, more = {}) {
  const status = made("p", load ? "Reading the values" : "The values of this array are not shown here.", { className: "quiet" });
  status.setAttribute("role", "status");
  const details = made("details");
  details.append(made("summary", "Facts"), facts(node));
  place.replaceChildren(made("p", wordsOf(node), { className: "quiet" }), status, details);
  if (!load || node.shape.includes(0)) return;
  const say = (words) => (status.textContent = words);
  Promise.resolve(load()).then(
    ({ numbers, damage = [], box, reads, noun }) => {
      if (!status.isConnected) return;
      say(damageWords(damage));
      if (!node.shape.length && numbers) details.before(made("p", shown(numbers[0])));
      else details.before(new Slices(node, numbers ? ofWhole(node.shape, numbers) : ofBoxes(node, box, reads), { ...more, noun }, say).box);
    },
    (error) => say(error.message),
  );
}

const costWords = ({ reads, bytes }, noun) => `at most ${reads.toLocaleString("en")} ${noun}${reads === 1 ? "" : "s"}, ${bytes.toLocaleString("en")} bytes of values`;
const damageWords = (damage) => (damage.length ? `Damaged: ${damage[0].key}, ${damage[0].detail}` : "");

/** Slices of an array; over an image, where `under` is its {rows, columns, numbers} and its sides are the last two axes. */
export class Slices {
  constructor(node, values, { view, bounds, labels, kept = {}, under = null, ofSlice = false, noun = "read" }, say) {
    const rank = node.shape.length;
    const same = kept.shape?.length === rank;
    Object.assign(this, { node, values, rank, say, kept, under, ofSlice, noun, bounds: [], labels: null, first: { down: 0, across: 0 }, agreed: false });
    this.at = node.shape.map((size, axis) => (same ? Math.min(kept.at[axis], size - 1) : 0));
    this.chosen = same ? kept.chosen : sides(node);
    this.view = same ? kept.view : rank === 1 || view === "curve" ? "curve" : view === "points" ? "points" : "map";
    this.cursor = { row: 0, column: 0 };
    this.drawn = 0;
    this.build();
    this.controls();
    this.draw();
    bounds?.().then((found) => ((this.bounds = found), this.slice && this.showHistogram()), () => {});
    labels?.().then((found) => ((this.labels = found), this.slice && this.show()), () => {});
  }

  build() {
    this.canvas = made("canvas", undefined, { tabIndex: 0 });
    this.canvas.setAttribute("role", "img");
    this.canvas.addEventListener("pointermove", (event) => this.point(event));
    this.canvas.addEventListener("keydown", (event) => {
      if (!STEPS[event.key]) return;
      event.preventDefault();
      this.move(this.cursor.row + STEPS[event.key][0], this.cursor.column + STEPS[event.key][1]);
    });
    this.told = made("p", "", { className: "quiet" });
    this.told.setAttribute("aria-live", "polite");
    this.panel = made("div", undefined, { className: "controls" });
    this.multiples = made("div", undefined, { className: "multiples" });
    this.histogram = made("div", undefined, { className: "histogram" });
    this.caption = made("p", "", { className: "quiet" });
    this.ends = [made("span"), made("span")];
    const legend = made("canvas", undefined, { className: "legend" });
    legend.setAttribute("aria-hidden", "true");
    paintLegend(legend);
    this.scale = made("div", undefined, { className: "scale" });
    this.scale.append(this.ends[0], legend, this.ends[1]);
    this.frame = new Frame(this.canvas, ({ row = this.cursor.row, column = this.cursor.column }) => this.move(row, column));
    this.ask = made("button", "Read it", { type: "button", hidden: true });
    this.ask.addEventListener("click", () => ((this.agreed = true), this.draw()));
    this.frame.box.hidden = this.scale.hidden = true; // until there is a slice
    this.box = made("div");
    this.box.append(this.ask, this.panel, this.caption, this.frame.box, this.told, this.frame.strips, this.scale, this.multiples, this.histogram);
  }

  controls() {
    this.sliders = new Map();
    const parts = [];
    if (this.rank > 1) parts.push(labelled("shown as", this.choice(this.views(), this.view, (value) => (this.view = value))));
    const axes = this.node.shape.map((_, axis) => [axis, axisName(this.node, axis)]);
    if (this.rank > 2) for (const side of ["down", "across"]) parts.push(labelled(side, this.choice(axes, this.chosen[side], (value) => this.choose(side, +value))));
    if (this.rank > 2 && this.values.range) {
      const own = made("input", undefined, { type: "checkbox", checked: this.ofSlice });
      own.addEventListener("change", () => ((this.ofSlice = own.checked), this.draw()));
      parts.push(labelled("colours of this slice alone", own));
    }
    this.node.shape.forEach((size, axis) => {
      if (axis === this.chosen.down || axis === this.chosen.across || size < 2) return;
      const one = slider(axisName(this.node, axis), size - 1, this.at[axis], (value) => ((this.at[axis] = value), this.draw()));
      this.sliders.set(axis, one);
      parts.push(one.label);
    });
    this.panel.replaceChildren(...parts, ...this.windowSliders());
  }

  /** Sliders for where the window begins, of a slice with too many numbers to be read at once. */
  windowSliders() {
    const windows = this.values.windows?.(this.chosen) ?? {};
    return Object.entries(windows).filter(([side, length]) => length < this.node.shape[this.chosen[side]]).map(([side, length]) => {
      const [size, step] = [this.node.shape[this.chosen[side]], length / 2];
      const firstOf = (index) => Math.min(index * step, size - length);
      const name = `${length.toLocaleString("en")} of ${axisName(this.node, this.chosen[side])} from`;
      return slider(name, Math.ceil((size - length) / step), Math.ceil(this.first[side] / step), (index) => ((this.first = { ...this.first, [side]: firstOf(index) }), this.draw()), firstOf).label;
    });
  }

  /** How it can be shown: distances where each point has three numbers. */
  views() {
    return Object.entries(VIEWS).filter(([view]) => view !== "distances" || this.node.shape[this.chosen.across] === SPACE);
  }

  choice(options, current, change) {
    const select = made("select");
    for (const [value, text] of options) select.append(made("option", text, { value, selected: String(value) === String(current) }));
    select.addEventListener("change", () => {
      change(select.value);
      this.draw();
    });
    return select;
  }

  choose(side, axis) {
    const other = side === "down" ? "across" : "down";
    if (this.chosen[other] === axis) this.chosen[other] = this.chosen[side];
    this.chosen[side] = axis;
    this.cursor = { row: 0, column: 0 };
    this.first = { down: 0, across: 0 };
    this.controls();
  }

  /** Reads the slice and shows it, unless another one was asked for meanwhile. */
  async draw() {
    const number = ++this.drawn;
    Object.assign(this.kept, { shape: this.node.shape, at: this.at, chosen: this.chosen, view: this.view });
    let slice;
    if (!this.allowed()) return;
    try {
      slice = this.values.now ? this.values.now(this.at, this.chosen) : await this.values.slice(this.at, this.chosen, this.first);
      if (this.view === "distances") slice = { ...distancesOf(slice), damage: slice.damage };
    } catch (error) {
      return void this.say(error.message);
    }
    if (number !== this.drawn) return;
    if (slice.damage) this.say(damageWords(slice.damage));
    this.slice = slice;
    this.range = this.ofSlice || !this.values.range || this.view === "distances" ? rangeOf(slice.numbers) : this.values.range;
    this.show();
    this.showMultiples();
    this.showHistogram();
  }

  /** Says what the slice takes to read; where that is much, it is read when a button is pressed, and then others are. */
  allowed() {
    const cost = this.values.cost?.(this.at, this.chosen, this.first);
    if (!cost) return true;
    const asks = !this.agreed && (cost.bytes > MUCH || cost.reads > MANY);
    this.say(`${asks ? "This slice takes" : "Reading"} ${costWords(cost, this.noun)}`);
    this.ask.hidden = !asks;
    return !asks;
  }

  showHistogram() {
    showHistogram(this.histogram, this.slice.numbers, this.view === "distances" ? [] : this.bounds);
  }

  show() {
    const { canvas, slice, node, chosen } = this;
    const { rows, columns } = slice;
    const isMap = this.view === "map" || this.view === "distances";
    const axes = { down: chosen.down, across: this.view === "distances" ? chosen.down : chosen.across };
    const [down, across] = [axisName(node, axes.down), axisName(node, axes.across)];
    this.ends.forEach((end, at) => (end.textContent = shown(this.range[at])));
    this.frame.box.hidden = false;
    this.scale.hidden = this.view === "points";
    canvas.className = `view-${this.view}`;
    const scale = Math.max(1, Math.floor(WIDTH / Math.max(columns, rows)));
    canvas.style.width = isMap ? `${columns * scale}px` : `${WIDTH}px`;
    canvas.style.height = this.view === "map" && this.rank === 1 ? "48px" : "auto";
    if (this.isOver()) paintOver(canvas, slice, this.range, this.under);
    else if (isMap) paint(canvas, slice, this.range);
    else if (this.view === "curve") paintCurve(canvas, slice, this.range, this.cursor.row);
    else paintPoints(canvas, slice);
    const words = { map: `${sideName(down)} down, ${sideName(across)} across`, curve: `along ${across}${this.rank > 1 ? `; arrows up and down: ${down}` : ""}`, points: `a point for each ${down}, at the first two numbers of ${across}`, distances: `how far each ${down} lies from each other one` }[this.view];
    const every = [[down, stepFor(rows)], [across, stepFor(columns)]].filter(([, step]) => step > 1 && isMap).map(([name, step]) => `every ${step}th ${name}`);
    this.caption.textContent = [words, ...every].join("; ");
    canvas.setAttribute("aria-label", `${words}; arrow keys read values`);
    const sides = (make) => ({ down: make(axes.down), across: make(axes.across) });
    this.frame.show(isMap && this.rank > 1 ? { rows, columns, first: this.firstOf(), names: sides((axis) => axisName(node, axis)), texts: sides((axis) => this.textsOf(axis)) } : null);
    this.move(this.cursor.row, this.cursor.column);
  }

  /** The positions of the first row and column that are shown. */
  firstOf() {
    const { down, across } = this.slice.first ?? this.first;
    return this.view === "distances" ? { down, across: down } : { down, across };
  }

  /** Whether the slice that is shown lies over the image. */
  isOver() {
    return Boolean(this.under) && this.view === "map" && this.chosen.down === this.rank - 2 && this.chosen.across === this.rank - 1;
  }

  textsOf(axis) {
    return textsOf(this.labels, axis, this.at, this.node.axes ?? [], this.node.shape);
  }

  /** Small maps along the axis before the two that are shown; where they are not there yet, when a button is pressed. */
  showMultiples() {
    const axis = this.node.shape.findLastIndex((size, each) => this.sliders.has(each) && size <= MULTIPLES);
    this.multiples.hidden = axis < 0 || this.view !== "map";
    if (this.multiples.hidden) return;
    const [name, { at, chosen, first, values }] = [axisName(this.node, axis), this];
    const all = () => {
      const slices = Array.from({ length: this.node.shape[axis] }, (_, index) => (values.now ?? values.slice)(at.with(axis, index), chosen, first));
      const choose = (index) => {
        this.at[axis] = index;
        this.sliders.get(axis).set(index);
        return this.draw();
      };
      showMultiples(this.multiples, { name, current: at[axis], slices, range: ({ numbers }) => (values.range ? this.range : rangeOf(numbers)), choose });
    };
    const place = JSON.stringify([at.with(axis, null), chosen, first]);
    if (values.now || this.shownSmall === place) return void all();
    offerMultiples(this.multiples, { name, words: costWords(values.cost(at, chosen, first, axis), this.noun), read: () => ((this.shownSmall = place), all()) });
  }

  point(event) {
    if (!this.slice || this.view === "points") return;
    const area = this.canvas.getBoundingClientRect();
    const share = (value, length) => Math.floor(value * length);
    const row = this.view !== "curve" ? share((event.clientY - area.top) / area.height, this.slice.rows) : this.cursor.row;
    this.move(row, share((event.clientX - area.left) / area.width, this.slice.columns));
  }

  move(row, column) {
    if (!this.slice) return;
    const { rows, columns, numbers } = this.slice;
    const before = this.cursor.row;
    this.cursor = { row: Math.max(0, Math.min(rows - 1, row)), column: Math.max(0, Math.min(columns - 1, column)) };
    if (this.view === "curve" && before !== this.cursor.row) return void this.show();
    this.frame.mark(this.cursor, this.slice);
    const first = this.firstOf();
    const own = (axis) => (axis === this.chosen.across ? first.across + this.cursor.column : axis === this.chosen.down ? first.down + this.cursor.row : this.at[axis]);
    const word = (axis, at) => `${axisName(this.node, axis)} ${at}${this.labels?.[axis] ? ` (${visible(this.textsOf(axis)[at] ?? "")})` : ""}`;
    const places = this.node.shape.map((_, axis) => word(axis, own(axis)));
    if (this.view === "distances") places[this.chosen.across] = word(this.chosen.down, first.across + this.cursor.column);
    this.told.textContent = `${places.join(", ")}: ${shown(numbers[this.cursor.row * columns + this.cursor.column])}`;
  }
}
