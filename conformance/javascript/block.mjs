// The values of an array that is stored as one block: in C or Fortran order, of either byte order.

import { Damaged } from "./damage.mjs";
import { swap } from "./dtypes.mjs";
import { copyBox, product, stridesOf } from "./grid.mjs";
import { Unreadable } from "./json.mjs";

/** The values of a block that `load` reads: {bytes, flags, damage}, in C order, little-endian. */
export async function blockValues(load, { shape, type, order = "C", key }) {
  const count = product(shape);
  try {
    const stored = await load();
    const bytes = type.big ? swap(stored.slice(), type.dtype.startsWith("complex") ? type.size / 2 : type.size) : stored;
    return { bytes: order === "F" && shape.length > 1 ? transposed(bytes, shape, type.size) : bytes };
  } catch (error) {
    if (!(error instanceof Damaged) && !(error instanceof Unreadable)) throw error;
    const reason = error instanceof Damaged ? error.reason : "undecodable";
    return { bytes: new Uint8Array(count * type.size), flags: new Uint8Array(count).fill(1), damage: [{ key, reason, detail: error.message }] };
  }
}

function transposed(bytes, shape, size) {
  const found = new Uint8Array(bytes.length);
  const steps = stridesOf([...shape].reverse()).reverse();
  copyBox(bytes, steps, found, stridesOf(shape), 0, shape, size);
  return found;
}
