// Slices of an array along two of its axes: {rows, columns, numbers}, from all of its values or read one by one.

const product = (sizes) => sizes.reduce((one, other) => one * other, 1);

/** The axes that run down and across: two roles of one axis where there are some, else the last two. */
export function sides(node) {
  const names = (node.axes ?? []).map((name) => (name?.includes(":") ? name.split(":")[0] : null));
  const down = names.findIndex((name, axis) => name !== null && names.indexOf(name, axis + 1) > axis);
  if (down >= 0) return { down, across: names.indexOf(names[down], down + 1) };
  return { down: Math.max(0, node.shape.length - 2), across: node.shape.length - 1 };
}

/** The lowest and the highest finite number. */
export function rangeOf(numbers) {
  let [low, high] = [Infinity, -Infinity];
  for (const number of numbers) {
    if (!Number.isFinite(number)) continue;
    if (number < low) low = number;
    if (number > high) high = number;
  }
  return [low, high];
}

/** Copies a slice out of numbers of a shape; `at` has the index along every other axis. */
function cut(numbers, shape, at, { down, across }) {
  const rank = shape.length;
  if (!rank) return { rows: 1, columns: 1, numbers };
  const strides = shape.map((_, axis) => product(shape.slice(axis + 1)));
  const rows = rank > 1 ? shape[down] : 1;
  const columns = shape[across];
  const first = at.reduce((sum, index, axis) => (axis === down || axis === across ? sum : sum + index * strides[axis]), 0);
  const found = new Float64Array(rows * columns);
  for (let row = 0, place = 0; row < rows; row++)
    for (let column = 0; column < columns; column++, place++) found[place] = numbers[first + (rank > 1 ? row * strides[down] : 0) + column * strides[across]];
  return { rows, columns, numbers: found };
}

const START = { down: 0, across: 0 };

/** Slices of an array of which all values are there. */
export const ofWhole = (shape, numbers) => ({ range: rangeOf(numbers), slice: async (at, chosen) => cut(numbers, shape, at, chosen), now: (at, chosen) => cut(numbers, shape, at, chosen) });

/**
 * Slices of an array that `box(start, size)` reads parts of. Of a slice with more numbers than a window has, a window is read, from `first`
 * along its sides; `cost` says before how many reads and decoded bytes that are at most, of all indices along `each` where it is given,
 * where a chunk and the index of a shard take as many as `reads` says.
 */
export function ofBoxes({ shape, storage }, box, reads = { chunk: 1, shard: 1 }) {
  const part = (at, chosen, first = START, each = null) => {
    const windows = windowsOf(shape, chosen);
    const along = (axis) => (axis === chosen.down ? "down" : axis === chosen.across ? "across" : null);
    const start = shape.map((_, axis) => (along(axis) ? first[along(axis)] : axis === each ? 0 : at[axis]));
    const size = shape.map((length, axis) => (along(axis) ? Math.min(windows[along(axis)], length - start[axis]) : axis === each ? length : 1));
    return { start, size };
  };
  const slice = async (at, chosen, first = START) => {
    const { start, size } = part(at, chosen, first);
    const { numbers, damage } = await box(start, size);
    return { ...cut(numbers, size, size.map(() => 0), chosen), damage, first };
  };
  const cost = (...asked) => costOf(storage, part(...asked), reads);
  return { range: null, slice, now: null, cost, windows: (chosen) => windowsOf(shape, chosen) };
}

const WINDOW = 2048;

/** How many rows and columns of a slice are shown at once. */
function windowsOf(shape, { down, across }) {
  const most = shape.length > 1 && shape[down] * shape[across] > WINDOW * WINDOW ? WINDOW : Infinity;
  return { down: Math.min(most, shape[down]), across: Math.min(most, shape[across]) };
}

/** How many reads a box of an array in chunks takes at most, of chunks and of the index of each shard, and how many decoded bytes. */
function costOf({ chunks, chunk_bytes: bytes, shards }, { start, size }, reads) {
  const met = (lengths) => product(start.map((first, axis) => Math.floor((first + size[axis] - 1) / lengths[axis]) - Math.floor(first / lengths[axis]) + 1));
  return { reads: met(chunks) * reads.chunk + (shards ? met(shards.shape) * reads.shard : 0), bytes: met(chunks) * bytes };
}

const ROWS = 4096;

/** How far the rows of a slice lie apart, each row by each, as a slice; a row of zeros is a place without one, and not finite. */
export function distancesOf({ rows, columns, numbers }) {
  if (rows > ROWS) throw new Error(`expected at most ${ROWS} rows to compare, found ${rows}`);
  const found = new Float64Array(rows * rows);
  const isPlace = Array.from({ length: rows }, (_, row) => numbers.subarray(row * columns, (row + 1) * columns).some((number) => number !== 0));
  for (let one = 0; one < rows; one++)
    for (let other = 0; other < rows; other++) {
      let sum = isPlace[one] && isPlace[other] ? 0 : NaN;
      for (let at = 0; at < columns; at++) sum += (numbers[one * columns + at] - numbers[other * columns + at]) ** 2;
      found[one * rows + other] = Math.sqrt(sum);
    }
  return { rows, columns: rows, numbers: found };
}
