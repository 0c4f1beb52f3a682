// Facts about the values of arrays, as "Facts, and damaged chunks" and "Row sums" of the chapter define them.
//
// An array is {node, bytes, flags}: its bytes in C order, little-endian, and one flag for each entry of a damaged chunk (or null).

import { COMPLEX, doublesOf, FLOAT8, FLOATS, isInteger, viewOf } from "./dtypes.mjs";
import { product } from "./grid.mjs";
import { countedBy, metBy, waysOf } from "./partners.mjs";
import { sixDecimals } from "./row_sums.mjs";

const MASK = 64 << 20;
const isFloat = (dtype) => FLOATS.has(dtype) || FLOAT8.has(dtype);

const MEASURES = {
  non_finite: ({ dtype }) => isFloat(dtype) || COMPLEX.has(dtype),
  range: ({ dtype }) => dtype === "bool" || isInteger(dtype) || isFloat(dtype),
  constant: ({ dtype }) => isFloat(dtype),
  row_sum: ({ dtype }) => FLOATS.has(dtype),
  left_out_nonzero: ({ dtype }) => FLOATS.has(dtype),
  duplicate_slices: ({ dtype, axes }, { along }) => FLOATS.has(dtype) && (axes ?? []).some((axis) => axis !== null && new RegExp(along, "u").test(axis)),
  beyond_axis: ({ dtype }) => isInteger(dtype),
  argmax_differs: ({ dtype }) => isInteger(dtype),
  decode_differs: ({ dtype }) => isInteger(dtype),
  masked_nonzero: ({ dtype }) => isFloat(dtype),
  starts_differ: ({ attributes }, { starts_attribute: name }) => typeof attributes[name] === "string",
};

/** The facts of the array at a path, by the entries of `facts.json`; `load(path)` gives another array, or null. */
export async function factsOf(path, own, entries, load, axes) {
  const facts = {};
  const values = doublesOf(own.bytes, own.node.dtype);
  for (const entry of entries) {
    if (!new RegExp(entry.at, "u").test(path) || (entry.dtypes && !entry.dtypes.includes(own.node.dtype))) continue;
    const needed = entry.measure.filter((name) => MEASURES[name](own.node, entry));
    if (!needed.length) continue;
    const counts = await maskOf(own, entry, load);
    for (const name of needed) Object.assign(facts, await MEASURED[name]({ ...own, values, counts }, entry, load, axes));
  }
  return facts;
}

const MEASURED = { non_finite: nonFinite, range, constant, row_sum: rowSum, left_out_nonzero: leftOut, duplicate_slices: duplicates,
  beyond_axis: beyond, argmax_differs: argmax, decode_differs: decoding, masked_nonzero: maskedNonzero, starts_differ: startsDiffer };

/** The node that an attribute names, where it fits, and its values. */
async function partnerOf({ node }, attribute, fits, load) {
  const reference = attribute && node.references?.[attribute];
  return reference?.exists && reference.axes_fit && fits(reference.dtype) ? load(reference.path) : null;
}

async function maskOf(own, { with_attribute: attribute }, load) {
  const mask = await partnerOf(own, attribute, (dtype) => dtype === "bool", load);
  if (!mask?.bytes || mask.flags || mask.bytes.length > MASK) return null;
  return countedBy(own.node, mask.node, mask.bytes);
}

/** Calls `see` with the place of each entry that counts and was read. */
function each({ node, flags, counts }, see) {
  const count = product(node.shape);
  for (let at = 0; at < count; at += 1) if (!flags?.[at] && (!counts || counts[at])) see(at);
}

function nonFinite(array) {
  const found = { non_finite: 0, nan: 0, infinite: 0, positive_infinite: 0 };
  const width = COMPLEX.has(array.node.dtype) ? 2 : 1;
  const { values } = array;
  each(array, (at) => {
    const [real, imaginary] = [values[at * width], width === 2 ? values[at * width + 1] : 0];
    if (Number.isFinite(real) && Number.isFinite(imaginary)) return;
    found.non_finite += 1;
    if (Number.isNaN(real) || Number.isNaN(imaginary)) found.nan += 1;
    else found.infinite += 1;
    if (real === Infinity || imaginary === Infinity) found.positive_infinite += 1;
  });
  return found;
}

function range(array) {
  let [least, most] = [Infinity, -Infinity];
  const { values } = array;
  each(array, (at) => {
    const value = values[at];
    if (!Number.isFinite(value)) return;
    if (value < least) least = value;
    if (value > most) most = value;
  });
  return least > most ? { minimum: null, maximum: null } : { minimum: least + 0, maximum: most + 0 };
}

function constant(array) {
  const { values, bytes, node, flags } = array;
  const bits = viewOf(bytes, node.dtype);
  const size = bytes.length / Math.max(1, product(node.shape));
  const words = size === 8 ? new BigUint64Array(bits.buffer, bits.byteOffset, bits.length) : size === 4 ? new Uint32Array(bits.buffer, bits.byteOffset, bits.length) : bits;
  let first = -1;
  let same = !flags;
  each(array, (at) => {
    if (first < 0) first = at;
    same &&= values[at] === values[first] || (Number.isNaN(values[at]) && words[at] === words[first]);
  });
  return { constant: same && first >= 0 };
}

/** The place of the first axis that a pattern matches; else the last one. */
function axisAlong({ axes, shape }, along) {
  const found = along && axes ? axes.findIndex((axis) => axis !== null && new RegExp(along, "u").test(axis)) : -1;
  return found < 0 ? shape.length - 1 : found;
}

async function rowSum(array, entry, load) {
  const { node, values, flags, counts } = array;
  const axis = axisAlong(node, entry.along);
  const columns = axis < 0 ? 1 : node.shape[axis];
  const step = axis < 0 ? 1 : product(node.shape.slice(axis + 1));
  const share = await shareOf(array, entry, axis, load);
  const shift = 1.5 * 2 ** (columns.toString(2).length + 1);
  const found = { row_length: columns, row_sum_minimum: null, row_sum_maximum: null, nonzero_row_sum_minimum: null };
  const rows = columns ? product(node.shape) / columns : 0;
  for (let row = 0; row < rows; row += 1) {
    const start = Math.floor(row / step) * step * columns + (row % step);
    const sum = sumOf({ values, flags, counts, start, step, columns, shift }, share?.[start]);
    if (sum === null) continue;
    const shown = sixDecimals(sum);
    if (found.row_sum_minimum === null || shown < found.row_sum_minimum) found.row_sum_minimum = shown;
    if (found.row_sum_maximum === null || shown > found.row_sum_maximum) found.row_sum_maximum = shown;
    if (shown && (found.nonzero_row_sum_minimum === null || shown < found.nonzero_row_sum_minimum)) found.nonzero_row_sum_minimum = shown;
  }
  return found;
}

/** The exact sum of a row, with what was shared; null where it has none. */
function sumOf({ values, flags, counts, start, step, columns, shift }, share) {
  let [sum, counted] = [0, false];
  for (let at = start, column = 0; column < columns; column += 1, at += step) {
    if (flags?.[at]) return null;
    if (counts && !counts[at]) continue;
    counted = true;
    if (!(Math.abs(values[at]) <= 2)) return null;
    sum += values[at] + shift - shift;
  }
  if (!counted) return null;
  if (share === undefined) return sum;
  return Math.abs(share) <= 2 ? sum + (share + shift - shift) : null;
}

/** The share of the row of each entry; null where the array that the attribute names does not fit. */
async function shareOf(array, { share_attribute: attribute }, axis, load) {
  const share = await partnerOf(array, attribute, (dtype) => FLOATS.has(dtype), load);
  if (!share?.bytes || share.flags) return null;
  const ways = waysOf(array.node, share.node, axis);
  if (ways?.length !== 1) return null;
  const values = doublesOf(share.bytes, share.node.dtype);
  return Float64Array.from(metBy(array.node.shape, share.node.shape, ways[0]), (place) => values[place]);
}

function leftOut({ node, values, counts, flags }) {
  if (!counts) return { left_out_nonzero: null };
  let found = 0;
  for (let at = 0; at < product(node.shape); at += 1) if (!counts[at] && !flags?.[at] && values[at] !== 0) found += 1;
  return { left_out_nonzero: found };
}

function duplicates({ node, bytes, flags }, { along }) {
  const axis = axisAlong(node, along);
  const inner = product(node.shape.slice(axis + 1));
  const [slices, outer] = [node.shape[axis], product(node.shape.slice(0, axis))];
  const size = product(node.shape) ? bytes.length / product(node.shape) : 0;
  const seen = new Set();
  let found = 0;
  for (let slice = 0; slice < slices && size; slice += 1) {
    let [text, whole] = ["", true];
    for (let each = 0; each < outer; each += 1) {
      const start = (each * slices + slice) * inner;
      if (flags?.subarray(start, start + inner).includes(1)) whole = false;
      const part = bytes.subarray(start * size, (start + inner) * size);
      for (let at = 0; at < part.length; at += 8192) text += String.fromCharCode(...part.subarray(at, at + 8192));
    }
    if (whole && seen.has(text)) found += 1;
    if (whole) seen.add(text);
  }
  return { duplicate_slices: found };
}

function beyond(array, { axis }, _, { sizes, keyOf }) {
  const known = Object.keys(sizes[keyOf(axis)] ?? {});
  if (known.length !== 1) return { beyond_axis: null };
  let found = 0;
  const { values } = array;
  each(array, (at) => (found += values[at] >= Number(known[0]) ? 1 : 0));
  return { beyond_axis: found };
}

const sameShape = (one, other) => one.length === other.length && one.every((size, at) => size === other[at]);

/** Another array with all its values; null where it is missing, damaged or does not fit. */
async function whole(path, load, fits) {
  const other = await load(path);
  return other?.bytes && !other.flags && fits(other.node.shape) ? { shape: other.node.shape, values: doublesOf(other.bytes, other.node.dtype), dtype: other.node.dtype } : null;
}

async function argmax(array, entry, load) {
  const { node, values } = array;
  const other = await whole(entry.with, load, (shape) => shape.length && sameShape(shape.slice(0, -1), node.shape));
  if (!other || !other.shape.at(-1) || COMPLEX.has(other.dtype)) return { argmax_differs: null };
  const columns = other.shape.at(-1);
  let found = 0;
  each(array, (at) => {
    const row = other.values.subarray(at * columns, (at + 1) * columns);
    if (row.some(Number.isNaN)) return;
    const index = values[at];
    if (!(index >= 0 && index < columns) || row.some((value) => value > row[index])) found += 1;
  });
  return { argmax_differs: found };
}

async function decoding(array, entry, load) {
  const { node, values } = array;
  const other = await whole(entry.with, load, (shape) => sameShape(shape, node.shape));
  if (!other || !isInteger(other.dtype)) return { decode_differs: null };
  const last = entry.table.length - 1;
  let found = 0;
  each(array, (at) => {
    const place = entry.table.indexOf(String.fromCharCode(other.values[at]));
    if (values[at] !== (place < 0 ? last : place)) found += 1;
  });
  return { decode_differs: found };
}

async function maskedNonzero(array, entry, load) {
  const { node, values } = array;
  const other = await whole(entry.with, load, (shape) => sameShape(shape, node.shape.slice(0, shape.length)));
  if (!other) return { masked_nonzero: null };
  const inner = product(node.shape.slice(other.shape.length));
  let found = 0;
  each(array, (at) => (found += values[at] !== 0 && other.values[Math.floor(at / inner)] === 0 ? 1 : 0));
  return { masked_nonzero: found };
}

async function startsDiffer({ node }, { starts_attribute: name }, load) {
  const other = await whole(node.attributes[name], load, () => true);
  if (!other || !isInteger(other.dtype)) return { starts_differ: null };
  const { shape, values } = other;
  if (shape.length !== 1 || !shape[0]) return { starts_differ: Math.max(product(shape), 1) };
  let found = (values[0] !== 0) + (values[shape[0] - 1] !== (node.shape[0] ?? 1));
  for (let at = 1; at < shape[0]; at += 1) found += values[at] < values[at - 1];
  return { starts_differ: found };
}
