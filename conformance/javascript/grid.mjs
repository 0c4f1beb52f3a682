// Regular grids of chunks, and copying boxes of entries between arrays.

import { wrong } from "./wrong.mjs";

export const product = (numbers) => numbers.reduce((one, other) => one * other, 1);

/** How many steps lie between neighbours along each dimension, in C order. */
export function stridesOf(shape) {
  const strides = new Array(shape.length);
  for (let axis = shape.length - 1, step = 1; axis >= 0; step *= shape[axis], axis -= 1) strides[axis] = step;
  return strides;
}

export const gridOf = (shape, chunks) => shape.map((size, axis) => Math.ceil(size / chunks[axis]));

/** Every index below a shape, in C order; the same list each time. */
export function* indices(shape) {
  if (shape.includes(0)) return;
  const index = new Array(shape.length).fill(0);
  for (;;) {
    yield index;
    let axis = shape.length - 1;
    while (axis >= 0 && ++index[axis] === shape[axis]) index[axis--] = 0;
    if (axis < 0) return;
  }
}

/**
 * Copies a box of `box` entries of `size` bytes: from `from` with `steps` (in entries), to `to` with `strides`, at entry `start`.
 */
export function copyBox(from, steps, to, strides, start, box, size) {
  if (box.includes(0)) return;
  const last = box.length - 1;
  if (last < 0) return void to.set(from.subarray(0, size), start * size);
  const run = steps[last] === 1 && strides[last] === 1;
  for (const index of indices(box.slice(0, last))) {
    let [source, target] = [0, start];
    for (let axis = 0; axis < last; axis += 1) {
      source += index[axis] * steps[axis];
      target += index[axis] * strides[axis];
    }
    if (run) {
      to.set(from.subarray(source * size, (source + box[last]) * size), target * size);
      continue;
    }
    for (let at = 0; at < box[last]; at += 1, source += steps[last], target += strides[last])
      for (let byte = 0; byte < size; byte += 1) to[target * size + byte] = from[source * size + byte];
  }
}

/** Sets a box of `flags` (one an entry) of an array of this shape. */
export function markBox(flags, shape, start, box) {
  const strides = stridesOf(shape);
  for (const index of indices(box)) {
    let at = 0;
    for (let axis = 0; axis < shape.length; axis += 1) at += (start[axis] + index[axis]) * strides[axis];
    flags[at] = 1;
  }
}

/** Fills bytes with one item, over and over. */
export function fillWith(bytes, item) {
  if (wrong("fill")) return bytes;
  if (item.every((byte) => byte === item[0])) return bytes.fill(item[0] ?? 0);
  bytes.set(item.subarray(0, bytes.length));
  for (let done = item.length; done < bytes.length; done *= 2) bytes.copyWithin(done, 0, Math.min(done, bytes.length - done));
  return bytes;
}
