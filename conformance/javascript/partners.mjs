// How one array lies along another one: masks, and shares of rows, by the names of axes.

import { indices, product, stridesOf } from "./grid.mjs";
import { isWhole } from "./json.mjs";

const WAYS = 64;
const axisOf = (name) => name.split(":")[0];

/**
 * Every way in which `other` lies along `node`: for each of its dimensions [dimension of the node, length of a block], one dimension for one.
 *
 * Null where there is none, or more than 64. `without` is a dimension of the node that may not be taken.
 */
export function waysOf(node, other, without = -1) {
  const choices = (other.axes ?? []).map((axis, at) => {
    const found = [];
    (node.axes ?? []).forEach((own, dimension) => {
      if (own === null || axis === null || dimension === without) return;
      const block = node.attributes[`block_${own}`];
      if ((own === axis || axisOf(own) === axis) && node.shape[dimension] === other.shape[at]) found.push([dimension, 1]);
      else if (isWhole(block) && block && axis === `${own}_block` && Math.ceil(node.shape[dimension] / block) === other.shape[at]) found.push([dimension, block]);
    });
    return found;
  });
  if (other.axes === null || choices.some((found) => !found.length) || product(choices.map((found) => found.length)) > WAYS) return null;
  return choices.reduce((ways, found) => ways.flatMap((way) => found.map((each) => [...way, each])), [[]]);
}

/** For each entry of an array of `shape`, the entry of the other one that it meets, by one way. */
export function metBy(shape, otherShape, way) {
  const strides = stridesOf(otherShape);
  const found = new Uint32Array(product(shape));
  let at = 0;
  for (const index of indices(shape)) {
    let place = 0;
    for (let each = 0; each < way.length; each += 1) place += Math.floor(index[way[each][0]] / way[each][1]) * strides[each];
    found[at++] = place;
  }
  return found;
}

/** One flag for each entry of an array: whether a mask is true at its place, whichever way it is read. */
export function countedBy(node, mask, values) {
  const ways = waysOf(node, mask);
  if (!ways) return null;
  const counts = new Uint8Array(product(node.shape)).fill(1);
  for (const way of ways) metBy(node.shape, mask.shape, way).forEach((place, at) => (counts[at] &= values[place] ? 1 : 0));
  return counts;
}
