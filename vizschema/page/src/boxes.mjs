// A box of an array of Zarr: only the chunks in it are read, the last ones are kept.

import { chunkOf } from "../../../conformance/javascript/chain.mjs";
import { Damaged } from "../../../conformance/javascript/damage.mjs";
import { copyBox, fillWith, gridOf, indices, markBox, product, stridesOf } from "../../../conformance/javascript/grid.mjs";
import { Unreadable } from "../../../conformance/javascript/json.mjs";
import { keyOf } from "../../../conformance/javascript/zarr_values.mjs";

const KEPT = 64 << 20;
const SHOWN = 16;
const kept = new Map();
let total = 0;

/** Forgets all chunks: another archive is open. */
export function forget() {
  kept.clear();
  total = 0;
}

/** The entry of a chunk by its key; undefined where there is none. */
async function entryOf(entries, key) {
  if (entries.find) return entries.find(key);
  const steps = key.split("/");
  let here = entries;
  for (const step of steps.slice(0, -1)) {
    const folder = here.get(step);
    if (folder?.type !== "folder") return undefined;
    here = await folder.list();
  }
  return here.get(steps.at(-1));
}

/** A decoded chunk, null where it is absent; throws `Damaged` or `Unreadable`. */
async function decodedChunk({ found, entries }, key, repeat) {
  const own = kept.get(entries) ?? new Map();
  if (own.has(key)) return own.get(key);
  const entry = await entryOf(entries, key);
  if (entry && entry.type !== "file") throw new Damaged("undecodable", `a chunk that is not a file: ${entry.type}`);
  const stored = entry && (await entry.read());
  const chunk = stored ? chunkOf(found.chain, stored, found.chunk, found.type, repeat) : null;
  total += chunk?.bytes.length ?? 0;
  if (total > KEPT) forget();
  kept.set(entries, kept.get(entries) ?? new Map());
  kept.get(entries).set(key, chunk);
  return chunk;
}

/** The values from `start`, in a box of this shape: {bytes, flags, damage, absent, absentKeys}, as a source gives all of them. */
export async function readBox(source, start, box) {
  const { found } = source;
  const { chunk, type, fill, keys } = found;
  const strides = stridesOf(box);
  const result = { bytes: new Uint8Array(product(box) * type.size), flags: null, damage: [], absent: 0, absentKeys: [] };
  const repeat = (count) => fillWith(new Uint8Array(count * type.size), fill ?? new Uint8Array(type.size));
  const first = start.map((at, axis) => Math.floor(at / chunk[axis]));
  const count = gridOf(start.map((at, axis) => at + box[axis]), chunk).map((end, axis) => end - first[axis]);
  for (const step of indices(count)) {
    const index = step.map((each, axis) => each + first[axis]);
    const key = keyOf(keys, index);
    const from = index.map((each, axis) => Math.max(start[axis], each * chunk[axis]));
    const size = index.map((each, axis) => Math.min(start[axis] + box[axis], (each + 1) * chunk[axis]) - from[axis]);
    const inner = from.map((each, axis) => each - start[axis]);
    const target = inner.reduce((sum, each, axis) => sum + each * strides[axis], 0);
    try {
      const decoded = await decodedChunk(source, key, repeat);
      if (decoded?.damaged.length) throw new Damaged(decoded.damaged[0].reason, decoded.damaged[0].detail);
      const steps = decoded?.steps ?? stridesOf(size);
      const skipped = decoded ? from.reduce((sum, each, axis) => sum + (each - index[axis] * chunk[axis]) * steps[axis], 0) : 0;
      copyBox(decoded ? decoded.bytes.subarray(skipped * type.size) : repeat(product(size)), steps, result.bytes, strides, target, size, type.size);
      if (decoded && !decoded.holes.length) continue;
      result.absent += decoded ? decoded.holes.length : 1;
      if (result.absentKeys.length < SHOWN) result.absentKeys.push(key);
    } catch (error) {
      if (!(error instanceof Damaged) && !(error instanceof Unreadable)) throw error;
      result.flags ??= new Uint8Array(product(box));
      markBox(result.flags, box, inner, size);
      if (result.damage.length < SHOWN) result.damage.push({ key, reason: error.reason ?? "undecodable", detail: error.message });
    }
  }
  return result;
}
