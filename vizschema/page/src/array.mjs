// One array: its facts, and its values as slices along two of its axes, with a slider for each of the others.

import { paint, paintLegend } from "./paint.mjs";
import { wordsOf } from "./tree.mjs";

const WIDTH = 560;

function made(tag, text, more = {}) {
  const found = document.createElement(tag);
  if (text !== undefined) found.textContent = text;
  return Object.assign(found, more);
}

function labelled(text, control) {
  const label = made("label", `${text} `);
  label.append(control);
  return label;
}

const axisName = (node, axis) => node.axes?.[axis] ?? `axis ${axis}`;
const shown = (number) => (Number.isFinite(number) ? String(+number.toPrecision(6)) : String(number));

function facts(node) {
  const table = made("table");
  const { storage } = node;
  const rows = { dtype: node.dtype, bytes: node.bytes.toLocaleString("en") };
  node.shape.forEach((size, axis) => (rows[axisName(node, axis)] = size));
  if (storage) Object.assign(rows, { chunks: `${storage.chunk_count} of ${storage.chunks.join(" × ")}`, codecs: storage.codecs.join(", ") });
  for (const [name, value] of Object.entries(node.attributes)) rows[`attribute ${name}`] = JSON.stringify(value).slice(0, 200);
  for (const [name, value] of Object.entries(rows)) {
    const row = table.insertRow();
    row.append(made("th", name, { scope: "row" }), made("td", value));
  }
  return table;
}

/** Shows an array in `place`; `load` reads its values, null where they are not read here. */
export function showArray(place, node, load) {
  place.replaceChildren(made("p", wordsOf(node), { className: "quiet" }));
  const status = made("p", load ? "Reading the values" : "The values of this array are not shown here.", { className: "quiet" });
  status.setAttribute("role", "status");
  place.append(status);
  const details = made("details");
  details.append(made("summary", "Facts"), facts(node));
  place.append(details);
  if (!load || node.shape.includes(0)) return;
  load().then(
    ({ numbers, damage }) => {
      if (!status.isConnected) return;
      status.textContent = damage.length ? `Damaged: ${damage[0].key}, ${damage[0].detail}` : "";
      details.before(slices(node, numbers));
    },
    (error) => (status.textContent = error.message),
  );
}

/** The axes that run down and across: two roles of one axis where there are some, else the last two. */
function sides(node) {
  const names = (node.axes ?? []).map((name) => (name?.includes(":") ? name.split(":")[0] : null));
  const down = names.findIndex((name, axis) => name !== null && names.indexOf(name, axis + 1) > axis);
  if (down >= 0) return { down, across: names.indexOf(names[down], down + 1) };
  return { down: Math.max(0, node.shape.length - 2), across: node.shape.length - 1 };
}

/** The lowest and the highest finite number of a slice. */
function rangeOf(rows, columns, numberAt) {
  let [low, high] = [Infinity, -Infinity];
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++) {
      const number = numberAt(row, column);
      if (Number.isFinite(number)) [low, high] = [Math.min(low, number), Math.max(high, number)];
    }
  return [low, high];
}

function slices(node, numbers) {
  const box = made("div");
  const rank = node.shape.length;
  let low = Infinity;
  let high = -Infinity;
  for (const number of numbers) {
    if (!Number.isFinite(number)) continue;
    if (number < low) low = number;
    if (number > high) high = number;
  }
  if (rank === 0) return made("p", shown(numbers[0]));
  const strides = node.shape.map((_, axis) => node.shape.slice(axis + 1).reduce((product, size) => product * size, 1));
  const at = node.shape.map(() => 0);
  const chosen = sides(node);
  const canvas = made("canvas", undefined, { tabIndex: 0 });
  canvas.setAttribute("role", "img");
  const told = made("p", "", { className: "quiet" });
  told.setAttribute("aria-live", "polite");
  const controls = made("div", undefined, { className: "controls" });
  const cursor = { row: 0, column: 0 };
  const numberAt = (row, column) => {
    let place = 0;
    for (let axis = 0; axis < rank; axis++) {
      const index = axis === chosen.across ? column : axis === chosen.down ? row : at[axis];
      place += strides[axis] * index;
    }
    return numbers[place];
  };
  const ends = [made("span"), made("span")];
  let ofSlice = false;
  const draw = () => {
    const rows = rank > 1 ? node.shape[chosen.down] : 1;
    const columns = node.shape[chosen.across];
    const [from, to] = ofSlice ? rangeOf(rows, columns, numberAt) : [low, high];
    ends.forEach((end, at) => (end.textContent = shown([from, to][at])));
    paint(canvas, rows, columns, numberAt, from, to);
    const scale = Math.max(1, Math.floor(WIDTH / Math.max(columns, rows)));
    canvas.style.width = `${columns * scale}px`;
    canvas.style.height = rank > 1 ? "auto" : "48px";
    if (rank === 1 && columns > WIDTH) canvas.style.width = "100%";
    canvas.setAttribute("aria-label", `${axisName(node, chosen.down)} down, ${axisName(node, chosen.across)} across; arrow keys read values`);
  };
  const tell = () => {
    const places = node.shape.map((_, axis) => `${axisName(node, axis)} ${axis === chosen.across ? cursor.column : axis === chosen.down ? cursor.row : at[axis]}`);
    told.textContent = `${places.join(", ")}: ${shown(numberAt(cursor.row, cursor.column))}`;
  };
  const sliders = () => {
    controls.replaceChildren();
    const own = made("input", undefined, { type: "checkbox", checked: ofSlice });
    own.addEventListener("change", () => {
      ofSlice = own.checked;
      draw();
    });
    if (rank > 2) controls.append(labelled("colours of this slice alone", own));
    if (rank > 2) for (const part of ["down", "across"]) controls.append(labelled(part, axisChoice(part)));
    node.shape.forEach((size, axis) => {
      if (axis === chosen.down || axis === chosen.across || size < 2) return;
      const output = made("output", at[axis]);
      const slider = made("input", undefined, { type: "range", min: 0, max: size - 1, value: at[axis] });
      slider.addEventListener("input", () => {
        at[axis] = +slider.value;
        output.textContent = slider.value;
        draw();
        tell();
      });
      const label = labelled(axisName(node, axis), slider);
      label.append(output);
      controls.append(label);
    });
  };
  const axisChoice = (part) => {
    const select = made("select");
    node.shape.forEach((_, axis) => select.append(made("option", axisName(node, axis), { value: axis, selected: chosen[part] === axis })));
    select.addEventListener("change", () => {
      const other = part === "down" ? "across" : "down";
      if (chosen[other] === +select.value) chosen[other] = chosen[part];
      chosen[part] = +select.value;
      Object.assign(cursor, { row: 0, column: 0 });
      sliders();
      draw();
      tell();
    });
    return select;
  };
  const move = (row, column) => {
    cursor.row = Math.max(0, Math.min(canvas.height - 1, row));
    cursor.column = Math.max(0, Math.min(canvas.width - 1, column));
    tell();
  };
  canvas.addEventListener("pointermove", (event) => {
    const area = canvas.getBoundingClientRect();
    move(Math.floor(((event.clientY - area.top) / area.height) * canvas.height), Math.floor(((event.clientX - area.left) / area.width) * canvas.width));
  });
  canvas.addEventListener("keydown", (event) => {
    const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!steps) return;
    event.preventDefault();
    move(cursor.row + steps[0], cursor.column + steps[1]);
  });
  const legend = made("canvas", undefined, { className: "legend" });
  legend.setAttribute("aria-hidden", "true");
  paintLegend(legend);
  const scale = made("div", undefined, { className: "scale" });
  scale.append(ends[0], legend, ends[1]);
  const map = made("div", undefined, { className: "map" });
  map.append(canvas);
  sliders();
  draw();
  tell();
  box.append(controls, map, told, scale);
  return box;
}
