// Numbers painted pixel by pixel. The colours go from dark blue over green to yellow, as viridis does: their lightness
// rises evenly, so that they can be told apart without red and green. What is not finite is grey.

const STOPS = [[68, 1, 84], [72, 40, 120], [62, 74, 137], [49, 104, 142], [38, 130, 142], [31, 158, 137], [53, 183, 121], [109, 205, 89], [180, 222, 44], [253, 231, 37]];
const NONE = [128, 128, 128];

export function colourOf(share) {
  if (!Number.isFinite(share)) return NONE;
  const at = Math.max(0, Math.min(1, share)) * (STOPS.length - 1);
  const low = Math.min(STOPS.length - 2, Math.floor(at));
  return STOPS[low].map((from, part) => Math.round(from + (STOPS[low + 1][part] - from) * (at - low)));
}

/** Paints `rows` × `columns` numbers, given by their place, onto a canvas. */
export function paint(canvas, rows, columns, numberAt, low, high) {
  canvas.width = columns;
  canvas.height = rows;
  const context = canvas.getContext("2d");
  const image = context.createImageData(columns, rows);
  for (let row = 0, at = 0; row < rows; row++)
    for (let column = 0; column < columns; column++, at += 4) {
      const [red, green, blue] = colourOf(high > low ? (numberAt(row, column) - low) / (high - low) : numberAt(row, column) - low + 0.5);
      image.data.set([red, green, blue, 255], at);
    }
  context.putImageData(image, 0, 0);
}

/** Paints the colours from the lowest to the highest. */
export const paintLegend = (canvas) => paint(canvas, 1, 256, (_, column) => column, 0, 255);
