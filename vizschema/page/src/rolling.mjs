// Attention rollout (Abnar and Zuidema 2020, https://arxiv.org/abs/2005.00928): the mean over the heads of each layer and the identity,
// rows normalised again, multiplied from the first layer to the last; row q says of which tokens the state of token q is made.

import { indices, product, stridesOf } from "../../../conformance/javascript/grid.mjs";

/** The most tokens of which this is computed here: each layer takes their number to the third power of products. */
export const TOKENS = 1024;

/** The means of numbers of a shape over all axes but two, in a box: {rows, columns, means}. */
export function meanOf(numbers, shape, { start, size }, { down, across }) {
  const strides = stridesOf(shape);
  const [rows, columns] = [size[down], size[across]];
  const means = new Float64Array(rows * columns);
  const others = size.with(down, 1).with(across, 1);
  const parts = product(others);
  for (const step of indices(others)) {
    const first = step.reduce((sum, each, axis) => sum + (start[axis] + each) * strides[axis], 0);
    for (let row = 0, at = 0; row < rows; row++)
      for (let column = 0; column < columns; column++, at++) means[at] += numbers[first + row * strides[down] + column * strides[across]] / parts;
  }
  return { rows, columns, means };
}

/** Adds the identity to a mean of attention, and makes each row sum to 1 again, in place. */
function mixed(weights, count) {
  for (let row = 0; row < count; row++) {
    weights[row * count + row] += 1;
    let sum = 0;
    for (let column = 0; column < count; column++) sum += weights[row * count + column];
    for (let column = 0; column < count; column++) weights[row * count + column] /= sum;
  }
  return weights;
}

/** The rollout of one layer more: `before` is that of all layers before, null before the first one. */
export function rolledOut(before, mean) {
  const count = Math.sqrt(mean.length);
  const weights = mixed(mean, count);
  if (!before) return weights;
  const found = new Float64Array(count * count);
  for (let row = 0; row < count; row++)
    for (let inner = 0; inner < count; inner++) {
      const weight = weights[row * count + inner];
      for (let column = 0; column < count; column++) found[row * count + column] += weight * before[inner * count + column];
    }
  return found;
}
