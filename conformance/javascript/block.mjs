// The values of an array that is stored as one block: in any order, of either byte order.

import { Damaged } from "./damage.mjs";
import { swap } from "./dtypes.mjs";
import { copyBox, product, stridesOf } from "./grid.mjs";
import { Unreadable } from "./json.mjs";
import { wrong } from "./wrong.mjs";

/**
 * The values of a block that `load` reads: {bytes, flags, damage}, in C order, little-endian.
 *
 * `order` is C or F, or how many bytes lie between neighbours along each dimension.
 */
export async function blockValues(load, { shape, type, order = "C", key }) {
  const count = product(shape);
  try {
    const stored = await load();
    if (wrong("memory-order")) order = "C";
    const steps = order === "F" ? stridesOf([...shape].reverse()).reverse().map((step) => step * type.size) : order;
    const bytes = order === "C" ? stored.subarray(0, count * type.size) : gathered(stored, steps, shape, type.size);
    return { bytes: type.big ? swap(bytes.slice(), type.dtype.startsWith("complex") ? type.size / 2 : type.size) : bytes };
  } catch (error) {
    if (!(error instanceof Damaged) && !(error instanceof Unreadable)) throw error;
    const reason = error instanceof Damaged ? error.reason : "undecodable";
    return { bytes: new Uint8Array(count * type.size), flags: new Uint8Array(count).fill(1), damage: [{ key, reason, detail: error.message }] };
  }
}

/** Entries that lie `steps` bytes apart, in C order. */
function gathered(bytes, steps, shape, size) {
  const found = new Uint8Array(product(shape) * size);
  copyBox(bytes, [...steps, 1], found, stridesOf([...shape, size]), 0, [...shape, size], 1);
  return found;
}
