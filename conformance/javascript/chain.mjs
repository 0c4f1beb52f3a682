// A chain of codecs as both versions of Zarr have it: from the bytes of a stored chunk to its entries in C order, little-endian.
//
// A chain is {orders, big, shard, packed}: transpositions, the byte order or the shard that bytes were made by, and codecs of
// bytes, each {name, grows, decode}: `grows(size)` is the size that it makes of `size` bytes (null: it varies), `decode(bytes, size)`
// takes it back.

import { crc32c } from "./checksums.mjs";
import { Damaged, mismatch, MOST, sized } from "./damage.mjs";
import { wrong } from "./wrong.mjs";
import { copyBox, gridOf, indices, product, stridesOf } from "./grid.mjs";
import { swap } from "./dtypes.mjs";

const ABSENT = (1n << 64n) - 1n;

/** The shape in which a chunk of `shape` is stored, and the dimension of the array that each of its own is. */
export function storedAs(orders, shape) {
  let axes = shape.map((_, axis) => axis);
  for (const order of wrong("memory-order") ? [] : orders) axes = order.map((axis) => axes[axis]);
  return { axes, shape: axes.map((axis) => shape[axis]) };
}

/** Bytes after all codecs of bytes but the first ones were taken back; `size` is what the first one took. */
export function unpacked(packed, bytes, size) {
  const sizes = [size];
  for (const codec of packed) sizes.push(sizes.at(-1) === null ? null : codec.grows(sizes.at(-1)));
  let found = bytes;
  for (let at = packed.length - 1; at >= 0; at -= 1) {
    if (sizes[at + 1] !== null) sized(found, sizes[at + 1]);
    found = packed[at].decode(found, sizes[at]);
  }
  return size === null ? found : sized(found, size);
}

/**
 * The entries of a stored chunk: {bytes, steps, holes, damaged}, `steps` between neighbours along each dimension of the array.
 *
 * `holes` and `damaged` are boxes [start, shape] within it: inner chunks of a shard that are not there, or cannot be read.
 */
export function chunkOf(chain, stored, shape, type, fill) {
  const { axes, shape: turned } = storedAs(chain.orders, shape);
  const back = (box) => axes.reduce((found, axis, at) => ((found[axis] = box[at]), found), []);
  const steps = back(stridesOf(turned));
  const count = product(turned);
  if (count * type.size > MOST) throw new Damaged("over-limit", `a chunk of ${count * type.size} bytes`);
  if (!chain.shard) {
    const bytes = unpacked(chain.packed, stored, count * type.size);
    return { bytes: chain.big ? swapped(bytes, type) : bytes, steps, holes: [], damaged: [] };
  }
  const found = shardOf(chain, unpacked(chain.packed, stored, null), turned, type, fill);
  const boxes = (list) => list.map(({ start, box, ...more }) => ({ start: back(start), box: back(box), ...more }));
  return { bytes: found.bytes, steps, holes: boxes(found.holes), damaged: boxes(found.damaged) };
}

const swapped = (bytes, { size, dtype }) => swap(bytes.slice(), dtype?.startsWith("complex") ? size / 2 : size);

/** The entries of a shard whose array has this shape. */
function shardOf({ shard }, stored, shape, type, fill) {
  const grid = gridOf(shape, shard.chunk);
  const ranges = indexOf(shard, stored, product(grid));
  const bytes = new Uint8Array(product(shape) * type.size);
  const strides = stridesOf(shape);
  const [holes, damaged] = [[], []];
  const put = ({ bytes: from, steps }, start) => copyBox(from, steps, bytes, strides, start.reduce((at, first, axis) => at + first * strides[axis], 0), shard.chunk, type.size);
  let number = 0;
  for (const index of indices(grid)) {
    const start = index.map((each, axis) => each * shard.chunk[axis]);
    const range = ranges[number++];
    if (range === null) {
      holes.push({ start, box: shard.chunk });
      put({ bytes: fill(product(shard.chunk)), steps: stridesOf(shard.chunk) }, start);
      continue;
    }
    try {
      if (range === undefined) throw new Damaged("truncated", "the index points beyond the shard");
      const inner = chunkOf(shard.chain, stored.subarray(...range), shard.chunk, type, fill);
      put(inner, start);
      const within = (boxes) => boxes.map((each) => ({ ...each, start: each.start.map((first, axis) => first + start[axis]) }));
      for (const each of within(inner.holes)) holes.push(each);
      for (const each of within(inner.damaged)) damaged.push(each);
    } catch (error) {
      if (!(error instanceof Damaged)) throw error;
      damaged.push({ start, box: shard.chunk, reason: error.reason, detail: error.message });
    }
  }
  return { bytes, holes, damaged };
}

/** How many bytes the index of a shard of `count` inner chunks has. */
export const indexSize = (shard, count) => shard.index.packed.reduce((size, codec) => codec.grows(size), 16 * count);

/** For each inner chunk of a stored shard its [begin, end], as `rangesOf` gives them. */
function indexOf(shard, stored, count) {
  const size = indexSize(shard, count);
  if (stored.length < size) throw new Damaged("truncated", "the shard is shorter than its index");
  return rangesOf(shard, shard.atStart ? stored.subarray(0, size) : stored.subarray(-size), stored.length, count);
}

/** For each inner chunk its [begin, end], by the bytes of the index of a shard of `length` bytes; null where it is not there, undefined where it lies beyond the shard. */
export function rangesOf(shard, bytes, length, count) {
  const first = shard.atStart ? bytes.length : 0;
  const last = length - (shard.atStart ? 0 : bytes.length);
  const index = unpacked(shard.index.packed, bytes, 16 * count);
  const view = new DataView(index.buffer, index.byteOffset, index.length);
  return Array.from({ length: count }, (_, at) => {
    const [offset, size] = [0, 8].map((part) => view.getBigUint64(16 * at + part, !shard.index.big));
    if (offset === ABSENT && size === ABSENT) return null;
    return offset < BigInt(first) || offset + size > BigInt(last) ? undefined : [Number(offset), Number(offset + size)];
  });
}

/** The shape of the inner chunks of shards, in dimensions of the array. */
export function innerOf({ shard, orders }, chunk) {
  if (!shard) return chunk;
  let axes = chunk.map((_, axis) => axis);
  for (const order of orders) axes = order.map((axis) => axes[axis]);
  const inner = innerOf(shard.chain, shard.chunk);
  return axes.reduce((found, axis, at) => ((found[axis] = inner[at]), found), []);
}

/** Adds the CRC-32C behind the bytes, as codecs of both versions do. */
export const CRC32C = {
  name: "crc32c",
  grows: (size) => size + 4,
  decode(bytes, size) {
    if (bytes.length < 4) throw new Damaged("truncated");
    const content = bytes.subarray(0, -4);
    if (crc32c(content) !== new DataView(bytes.buffer, bytes.byteOffset + content.length).getUint32(0, true)) mismatch();
    return sized(content, size);
  },
};
