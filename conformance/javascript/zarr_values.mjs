// The values of an array of Zarr: every chunk under its key, what is absent, misplaced, damaged or stray.

import { chunkOf, innerOf } from "./chain.mjs";
import { Damaged, MOST } from "./damage.mjs";
import { SIZES } from "./dtypes.mjs";
import { Unreadable } from "./json.mjs";
import { wrong } from "./wrong.mjs";
import { copyBox, fillWith, gridOf, indices, markBox, product, stridesOf } from "./grid.mjs";

const SHOWN = 16;
const DOCUMENTS = new Set(["zarr.json", ".zarray", ".zattrs", ".zgroup"]);
const CHUNK = /^(c|(c[./])?[0-9]+([./][0-9]+)*)$/;

/** What reads the values of an array: {readable, read(), found, entries}: all of it, or by what it is, and the entries of its folder, parts of it. */
export function valuesOf(found, entries) {
  const readable = found.chain.known && Object.hasOwn(SIZES, found.type.dtype);
  return { readable, read: () => readAll(found, entries), found, entries };
}

/** The key of a chunk by its index. */
export function keyOf({ name, separator }, index) {
  if (name === "v2") return index.length ? index.join(separator) : "0";
  return ["c", ...index].join(separator);
}

/** Every file in the folder of an array by its key, and folders that are empty or lie where a chunk has to be. */
async function listed(entries, keys, rank, chunks) {
  const found = new Map();
  const depth = keys.separator === "/" ? Math.max(rank, 1) + (keys.name === "v2" ? 0 : 1) : 1;
  const walk = async (within, prefix, level) => {
    for (const [name, entry] of within) {
      if (level === 0 && DOCUMENTS.has(name)) continue;
      const inner = entry.type === "folder" && level < depth + 2 ? await entry.list() : new Map();
      await walk(inner, `${prefix}${name}/`, level + 1);
      if (!inner.size || chunks.has(prefix + name)) found.set(`${prefix}${name}`, entry);
    }
  };
  await walk(entries, "", 0);
  return found;
}

/** Whether the folder of an array has nothing but documents. */
export const isUnwritten = (entries) => [...entries.keys()].every((name) => DOCUMENTS.has(name));

async function readAll(found, entries) {
  const { shape, chunk, keys, type, fill, chain } = found;
  const grid = gridOf(shape, chunk);
  if (isUnwritten(entries)) return unwritten(found, grid);
  const chunks = new Map();
  for (const index of indices(grid)) chunks.set(keyOf(keys, index), [...index]);
  const stored = await listed(entries, keys, shape.length, chunks);
  const others = [...stored.keys()].filter((key) => !chunks.has(key) && !isWithin(key, chunks));
  const above = others.filter((key) => [...chunks.keys()].some((each) => each.startsWith(`${key}/`)));
  const blocking = above.filter((key) => stored.get(key).type !== "folder");
  const strangers = others.filter((key) => !above.includes(key));
  const isForeign = (key) => CHUNK.test(key) && !formOf(keys, shape.length).test(key) && stored.get(key).type === "file";
  const misplaced = [...chunks.keys()].some((key) => !stored.has(key)) && strangers.some(isForeign);
  const stray = strangers.filter((key) => !misplaced || !isForeign(key));
  const result = { damage: [], absent: 0, absentKeys: [], stray: stray.sort().slice(0, SHOWN) };
  const whole = { bytes: null, shape, strides: stridesOf(shape), size: type.size, flags: null, result, inner: innerOf(chain, chunk) };
  const total = product(shape) * type.size;
  if (total > MOST) return beyond(found, result, { chunks, stored, misplaced });
  whole.bytes = new Uint8Array(total);
  const repeat = (count) => fillWith(new Uint8Array(count * type.size), fill ?? new Uint8Array(type.size));
  for (const [key, index] of chunks) {
    if (wrong("first-chunk") && index.some((at) => at)) continue;
    const start = index.map((each, axis) => each * chunk[axis]);
    const entry = stored.get(key);
    if (entry === undefined && blocking.some((each) => key.startsWith(`${each}/`))) damaged(whole, start, chunk, { key, reason: "undecodable", detail: "its folder is not one" });
    else if (entry === undefined && misplaced) damaged(whole, start, chunk, { key, reason: "misplaced", detail: "chunks lie under keys of another encoding" });
    else if (entry === undefined) absent(whole, key, start, chunk, repeat);
    else await present(whole, key, start, entry, found, repeat);
  }
  return { bytes: whole.bytes, flags: whole.flags, ...result };
}

const isWithin = (key, chunks) => {
  for (let at = key.indexOf("/"); at > 0; at = key.indexOf("/", at + 1)) if (chunks.has(key.slice(0, at))) return true;
  return false;
};

/** What every key of an encoding looks like, of a chunk within the grid or not. */
function formOf({ name, separator }, rank) {
  const dot = separator === "." ? "[.]" : "/";
  return new RegExp(name === "v2" ? `^[0-9]+(${dot}[0-9]+){${Math.max(rank - 1, 0)}}$` : `^c(${dot}[0-9]+){${rank}}$`);
}

const boxOf = (start, box, shape) => box.map((length, axis) => Math.max(0, Math.min(length, shape[axis] - start[axis])));
const placeOf = (whole, start) => start.reduce((at, first, axis) => at + first * whole.strides[axis], 0);

function damaged(whole, start, box, { key, reason, detail }) {
  if (wrong("damage")) return;
  whole.flags ??= new Uint8Array(product(whole.shape));
  markBox(whole.flags, whole.shape, start, boxOf(start, box, whole.shape));
  if (whole.result.damage.length < SHOWN) whole.result.damage.push({ key, reason, detail });
}

function absent(whole, key, start, box, repeat) {
  const clipped = boxOf(start, box, whole.shape);
  const item = repeat(1);
  if (item.some((byte) => byte)) copyBox(repeat(product(clipped)), stridesOf(clipped), whole.bytes, whole.strides, placeOf(whole, start), clipped, whole.size);
  whole.result.absent += product(gridOf(clipped, whole.inner));
  if (whole.result.absentKeys.length < SHOWN && !whole.result.absentKeys.includes(key)) whole.result.absentKeys.push(key);
}

async function present(whole, key, start, entry, { chain, chunk, type }, repeat) {
  try {
    if (entry.type !== "file") throw new Damaged("undecodable", `a chunk that is not a file: ${entry.type}`);
    if (entry.size > MOST) throw new Damaged("over-limit", `a chunk of ${entry.size} bytes`);
    const found = chunkOf(chain, await entry.read(), chunk, type, repeat);
    copyBox(found.bytes, found.steps, whole.bytes, whole.strides, placeOf(whole, start), boxOf(start, chunk, whole.shape), whole.size);
    const moved = (box) => box.map((first, axis) => first + start[axis]);
    const inside = (box) => moved(box.start).every((first, axis) => first < whole.shape[axis]);
    for (const hole of found.holes.filter(inside)) {
      whole.result.absent += 1;
      if (whole.result.absentKeys.length < SHOWN && !whole.result.absentKeys.includes(key)) whole.result.absentKeys.push(key);
    }
    for (const each of found.damaged.filter(inside)) damaged(whole, moved(each.start), each.box, { key, reason: each.reason, detail: each.detail });
  } catch (error) {
    if (!(error instanceof Damaged) && !(error instanceof Unreadable)) throw error;
    damaged(whole, start, chunk, { key, reason: error instanceof Damaged ? error.reason : "undecodable", detail: error.message });
  }
}

/** An array of which no chunk is there, however many it may have. */
function unwritten({ shape, chunk, keys, type, fill, chain }, grid) {
  const held = product(shape) * type.size > MOST ? shape.map((size) => Math.min(size, 2)) : shape;
  const bytes = fillWith(new Uint8Array(product(held) * type.size), fill ?? new Uint8Array(type.size));
  const absentKeys = [];
  for (const index of indices(grid)) {
    if (absentKeys.length === SHOWN) break;
    absentKeys.push(keyOf(keys, index));
  }
  return { bytes, flags: null, damage: [], absent: product(gridOf(shape, innerOf(chain, chunk))), absentKeys, stray: [], shape: held };
}

/** An array that is too large to hold: a few entries stand for all, of fill values or damaged. */
function beyond({ shape, type, fill, chain, chunk }, result, { chunks, stored, misplaced }) {
  const few = shape.map((size) => Math.min(size, 2));
  const bytes = fillWith(new Uint8Array(product(few) * type.size), fill ?? new Uint8Array(type.size));
  const some = [...chunks.keys()].filter((key) => stored.has(key));
  if (some.length || misplaced) {
    const reason = misplaced ? "misplaced" : "over-limit";
    const damage = [{ key: some[0] ?? chunks.keys().next().value, reason, detail: "more values than are held at once" }];
    return { ...result, bytes, shape: few, flags: new Uint8Array(product(few)).fill(1), damage };
  }
  return { ...result, bytes, shape: few, absent: product(gridOf(shape, innerOf(chain, chunk))), absentKeys: [...chunks.keys()].slice(0, SHOWN) };
}
