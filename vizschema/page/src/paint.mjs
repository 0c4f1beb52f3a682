// Numbers painted pixel by pixel, as a line, or as points. The colours go from dark blue over green to yellow, as viridis does: their
// lightness rises evenly, so that they can be told apart without red and green. What is not finite is grey.

import { rangeOf } from "./slices.mjs";

const STOPS = [[68, 1, 84], [72, 40, 120], [62, 74, 137], [49, 104, 142], [38, 130, 142], [31, 158, 137], [53, 183, 121], [109, 205, 89], [180, 222, 44], [253, 231, 37]];
const NONE = [128, 128, 128];
const [WIDE, HIGH] = [640, 240];
const EDGE = 8;
const SIDE = 4096;
const OVER = 0.6; // how much of a colour over an image is that of the slice

/** Puts red, green, blue and an opaque alpha at a place in a list; makes none, as there is one call for each pixel. */
function putColour(data, at, share) {
  const place = Math.max(0, Math.min(1, share)) * (STOPS.length - 1);
  const low = Math.min(STOPS.length - 2, Math.floor(place));
  for (let part = 0; part < 3; part++) data[at + part] = Number.isFinite(share) ? Math.round(STOPS[low][part] + (STOPS[low + 1][part] - STOPS[low][part]) * (place - low)) : NONE[part];
  data[at + 3] = 255;
}

export function colourOf(share) {
  const colour = [];
  putColour(colour, 0, share);
  return colour.slice(0, 3);
}

const shareOf = (number, [low, high]) => (high > low ? (number - low) / (high - low) : number - low + 0.5);

/** How many rows or columns a painted one stands for: canvases have limits. */
export const stepFor = (count, most = SIDE) => Math.ceil(count / most);

/** Paints a slice onto a canvas, a pixel for each number, or for every n-th along a side that is longer than `most`, by default than a canvas may be. */
export function paint(canvas, { rows, columns, numbers }, range, most = SIDE) {
  const [down, across] = [stepFor(rows, most), stepFor(columns, most)];
  canvas.width = Math.ceil(columns / across);
  canvas.height = Math.ceil(rows / down);
  const context = canvas.getContext("2d");
  const image = context.createImageData(canvas.width, canvas.height);
  let at = 0;
  for (let row = 0; row < rows; row += down)
    for (let column = 0; column < columns; column += across, at += 4) {
      putColour(image.data, at, shareOf(numbers[row * columns + column], range));
    }
  context.putImageData(image, 0, 0);
}

/** Paints a slice over an image in shades of grey, a pixel for each of the image. */
export function paintOver(canvas, slice, range, { rows, columns, numbers }) {
  const grey = rangeOf(numbers);
  const [down, across] = [stepFor(rows), stepFor(columns)];
  canvas.width = Math.ceil(columns / across);
  canvas.height = Math.ceil(rows / down);
  const context = canvas.getContext("2d");
  const image = context.createImageData(canvas.width, canvas.height);
  let at = 0;
  for (let row = 0; row < rows; row += down)
    for (let column = 0; column < columns; column += across, at += 4) {
      const place = Math.floor((row * slice.rows) / rows) * slice.columns + Math.floor((column * slice.columns) / columns);
      const light = 255 * shareOf(numbers[row * columns + column], grey);
      image.data.set([...colourOf(shareOf(slice.numbers[place], range)).map((part) => OVER * part + (1 - OVER) * light), 255], at);
    }
  context.putImageData(image, 0, 0);
}

/** Draws the first rows of a slice as lines. */
export function paintCurve(canvas, { rows, columns, numbers }, [low, high], row) {
  canvas.width = WIDE;
  canvas.height = HIGH;
  const context = canvas.getContext("2d");
  context.strokeStyle = getComputedStyle(canvas).color;
  context.lineWidth = 2;
  context.beginPath();
  let pen = false;
  for (let column = 0; column < columns; column++) {
    const number = numbers[Math.min(row, rows - 1) * columns + column];
    const x = EDGE + (columns > 1 ? column / (columns - 1) : 0.5) * (WIDE - 2 * EDGE);
    const y = HIGH - EDGE - (high > low ? (number - low) / (high - low) : 0.5) * (HIGH - 2 * EDGE);
    if (Number.isFinite(number)) pen ? context.lineTo(x, y) : context.moveTo(x, y);
    if (Number.isFinite(number) && columns === 1) context.fillRect(x - 2, y - 2, 4, 4);
    pen = Number.isFinite(number);
  }
  context.stroke();
}

/** Draws each row of a slice as a point, by its first two numbers on one scale; colours go along the rows. */
export function paintPoints(canvas, { rows, columns, numbers }) {
  canvas.width = canvas.height = WIDE;
  const context = canvas.getContext("2d");
  const points = Array.from({ length: rows }, (_, row) => [numbers[row * columns], columns > 1 ? numbers[row * columns + 1] : row]);
  const finite = points.filter((point) => point.every(Number.isFinite));
  if (!finite.length) return;
  const ends = [0, 1].map((part) => finite.reduce(([low, high], point) => [Math.min(low, point[part]), Math.max(high, point[part])], [Infinity, -Infinity]));
  const span = Math.max(...ends.map(([low, high]) => high - low)) || 1;
  points.forEach((point, row) => {
    if (!point.every(Number.isFinite)) return;
    const [x, y] = point.map((value, part) => EDGE + ((value - ends[part][0]) / span) * (WIDE - 2 * EDGE));
    context.fillStyle = `rgb(${colourOf(row / Math.max(1, rows - 1)).join(" ")})`;
    context.beginPath();
    context.arc(x, WIDE - y, 5, 0, 2 * Math.PI);
    context.fill();
  });
}

/** Paints the colours from the lowest to the highest. */
export const paintLegend = (canvas) => paint(canvas, { rows: 1, columns: 256, numbers: Float64Array.from({ length: 256 }, (_, at) => at) }, [0, 255]);
