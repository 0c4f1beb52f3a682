// A box of an array of Zarr: only the chunks in it are read, of shards only the inner chunks; the last ones are kept.

import { chunkOf, innerOf as leastOf } from "../../../conformance/javascript/chain.mjs";
import { Damaged } from "../../../conformance/javascript/damage.mjs";
import { copyBox, fillWith, gridOf, indices, markBox, product, stridesOf } from "../../../conformance/javascript/grid.mjs";
import { Unreadable } from "../../../conformance/javascript/json.mjs";
import { keyOf } from "../../../conformance/javascript/zarr_values.mjs";
import { bytesOf, checkedRange, hasParts, indexOf, innerOf, innerWithin } from "./shards.mjs";

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

const cacheOf = (entries) => {
  if (!kept.has(entries)) kept.set(entries, new Map());
  return kept.get(entries);
};

function keep(entries, key, chunk, size) {
  total += size;
  if (total > KEPT) forget();
  cacheOf(entries).set(key, chunk);
  return chunk;
}

const isFile = (entry) => {
  if (entry && entry.type !== "file") throw new Damaged("undecodable", `a chunk that is not a file: ${entry.type}`);
  return entry;
};

/** A decoded chunk, null where it is absent; throws `Damaged` or `Unreadable`. */
async function decodedChunk({ found, entries }, key, repeat) {
  const own = cacheOf(entries);
  if (own.has(key)) return own.get(key);
  const entry = isFile(await entryOf(entries, key));
  const stored = entry && (await entry.read());
  const chunk = stored ? chunkOf(found.chain, stored, found.chunk, found.type, repeat) : null;
  return keep(entries, key, chunk, chunk?.bytes.length ?? 0);
}

/** The pieces of a chunk that meet a box in it: [{start, box, decoded}], decoded as a chunk is, null where it is absent, or an error. */
async function piecesOf(source, key, start, size, repeat) {
  const { found, entries } = source;
  const whole = { start: start.map(() => 0), box: found.chunk };
  try {
    if (!hasParts(found.chain)) return [{ ...whole, decoded: await decodedChunk(source, key, repeat) }];
    const entry = partsFrom(isFile(await entryOf(entries, key)));
    const own = cacheOf(entries);
    const index = own.has(key) ? own.get(key) : keep(entries, key, entry ? await indexOf(entry, found) : null, 0);
    if (!index) return [{ ...whole, decoded: null }];
    return await innerPieces(source, { key, entry, index }, innerWithin(found, start, size), repeat);
  } catch (error) {
    if (!(error instanceof Damaged) && !(error instanceof Unreadable)) throw error;
    return [{ ...whole, error }];
  }
}

async function innerPieces({ found, entries }, { key, entry, index }, { found: inner, back }, repeat) {
  const own = cacheOf(entries);
  const pieces = inner.map((piece) => attempt(piece, () => {
    const name = `${key} ${piece.number}`;
    if (own.has(name)) return { decoded: own.get(name) };
    if (index[piece.number] === null) return { decoded: null };
    return { name, range: checkedRange(index[piece.number], found) };
  }));
  const wanted = pieces.filter(({ range }) => range);
  const stored = wanted.length ? await bytesOf(entry, wanted.map(({ range }) => range)) : null;
  return pieces.map((piece) => piece.range ? attempt(piece, () => {
    const decoded = innerOf(found, stored.get(piece.range.join(" ")), repeat, back);
    return { decoded: keep(entries, piece.name, decoded, decoded.bytes.length) };
  }) : piece);
}

/** A piece with what `make` gives, or with the error where it is damaged. */
function attempt(piece, make) {
  try {
    return { ...piece, ...make() };
  } catch (error) {
    if (!(error instanceof Damaged) && !(error instanceof Unreadable)) throw error;
    return { ...piece, error };
  }
}

/** An entry of which parts can be read: of a member that is stored in a zip file as it is, its bytes. */
const partsFrom = (entry) => (entry?.member?.method === 0 ? { size: entry.size, read: (start, length) => entry.raw(length, start) } : entry);

/** The values from `start`, in a box of this shape: {bytes, flags, damage, absent, absentKeys}, as a source gives all of them. */
export async function readBox(source, start, box) {
  const { chain, chunk, type, fill, keys } = source.found;
  const result = { bytes: new Uint8Array(product(box) * type.size), flags: null, damage: [], absent: 0, absentKeys: [] };
  const target = { result, start, box, strides: stridesOf(box), size: type.size, inner: leastOf(chain, chunk) };
  const repeat = (count) => fillWith(new Uint8Array(count * type.size), fill ?? new Uint8Array(type.size));
  const first = start.map((at, axis) => Math.floor(at / chunk[axis]));
  const count = gridOf(start.map((at, axis) => at + box[axis]), chunk).map((end, axis) => end - first[axis]);
  for (const step of indices(count)) {
    const index = step.map((each, axis) => each + first[axis]);
    const origin = index.map((each, axis) => each * chunk[axis]);
    const from = origin.map((each, axis) => Math.max(start[axis], each) - each);
    const size = origin.map((each, axis) => Math.min(start[axis] + box[axis] - each, chunk[axis]) - from[axis]);
    const key = keyOf(keys, index);
    for (const piece of await piecesOf(source, key, from, size, repeat)) put(target, key, origin, piece, repeat);
  }
  return result;
}

/** Puts the part of a piece that lies in the box into it. */
function put({ result, start, box, strides, inner: least, size: bytes }, key, origin, { start: own, box: length, decoded, error }, repeat) {
  const begin = own.map((each, axis) => Math.max(start[axis], origin[axis] + each));
  const size = own.map((each, axis) => Math.min(start[axis] + box[axis], origin[axis] + each + length[axis]) - begin[axis]);
  const inner = begin.map((each, axis) => each - start[axis]);
  if (size.some((each) => each <= 0)) return;
  const place = inner.reduce((sum, each, axis) => sum + each * strides[axis], 0);
  const fault = error ?? decoded?.damaged[0];
  if (fault) {
    result.flags ??= new Uint8Array(product(box));
    markBox(result.flags, box, inner, size);
    if (result.damage.length < SHOWN) result.damage.push({ key, reason: fault.reason ?? "undecodable", detail: fault.detail ?? fault.message });
    return;
  }
  const steps = decoded?.steps ?? stridesOf(size);
  const skipped = decoded ? begin.reduce((sum, each, axis) => sum + (each - origin[axis] - own[axis]) * steps[axis], 0) : 0;
  copyBox(decoded ? decoded.bytes.subarray(skipped * bytes) : repeat(product(size)), steps, result.bytes, strides, place, size, bytes);
  if (decoded && !decoded.holes.length) return;
  result.absent += decoded ? decoded.holes.length : product(gridOf(size, least));
  if (result.absentKeys.length < SHOWN && !result.absentKeys.includes(key)) result.absentKeys.push(key);
}
