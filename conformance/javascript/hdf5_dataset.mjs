// An HDF5 dataset by its messages: type, shape, layout, and its values.

import { unpacked } from "./chain.mjs";
import { Damaged, MOST, sized } from "./damage.mjs";
import { SIZES, swap } from "./dtypes.mjs";
import { copyBox, fillWith, gridOf, indices, markBox, product, stridesOf } from "./grid.mjs";
import { Cursor, UNDEFINED } from "./hdf5_bytes.mjs";
import { chunksOf } from "./hdf5_chunks.mjs";
import { filtersAt } from "./hdf5_filters.mjs";
import { bodyOf } from "./hdf5_header.mjs";
import { spaceAt, typeAt } from "./hdf5_types.mjs";
import { Unreadable } from "./json.mjs";
import { array, left, unreadable } from "./tree.mjs";

const CHUNKS = 10_000_000;
const SHOWN = 16;
const RANK = 64;

/** The node of a dataset and the source of its values; `raw`, `refused` are attributes, `axes` names or null. */
export function datasetOf(file, messages, { raw, refused, axes, detail }) {
  const find = (type) => messages.find((message) => message.type === type);
  const layout = layoutAt(file, find(8));
  if (layout.virtual) return { node: left("object", "virtual-dataset") };
  if (find(7)) return { node: left("object", "external-storage") };
  const type = typeAt(bodyOf(file, find(3)));
  const shape = spaceAt(bodyOf(file, find(1)));
  if (!shape) return { node: unreadable("unsupported", "a space that holds no value") };
  if (shape.length > RANK) return { node: unreadable("over-limit", "too many dimensions") };
  if (shape.reduce((all, size) => all * BigInt(size || 1), BigInt(type.size)) >= 2n ** 63n) throw new Unreadable("metadata-invalid", "more bytes than 2^63");
  const filters = find(11) ? filtersAt(bodyOf(file, find(11))) : { names: [], packed: [], known: true };
  const count = layout.chunk ? product(gridOf(shape, layout.chunk)) : 1;
  if (count > CHUNKS) throw new Unreadable("over-limit", `more than ${CHUNKS} chunks`);
  if (layout.chunk && layout.chunk.length !== shape.length) throw new Damaged("undecodable", "chunks of another rank");
  const storage = layout.chunk && {
    chunks: layout.chunk, chunk_of: null, split: null, chunk_bytes: product(layout.chunk) * type.size, chunk_count: count, shards: null, codecs: filters.names,
  };
  const node = array({ dtype: type.dtype, shape, bytes: product(shape) * type.size, axes, raw, refused, storage, detail });
  const readable = filters.known && Object.hasOwn(SIZES, type.dtype);
  const dataset = { file, layout, type, shape, filters, fill: fillOf(file, find, type), unlimited: unlimitedOf(file, find(1)) };
  return { node, source: { readable, read: async () => readAll(dataset) } };
}

function layoutAt(file, message) {
  const cursor = bodyOf(file, message);
  const version = cursor.number(1);
  if (version < 3) return oldLayout(file, cursor);
  if (version > 5) throw new Damaged("undecodable", "a layout of another version");
  const kind = cursor.number(1);
  if (kind === 0) return { compact: cursor.bytes(cursor.number(2)) };
  if (kind === 1) return { address: cursor.address(), size: cursor.length() };
  if (kind === 3) return { virtual: true };
  return version === 3 ? chunkedLayout(cursor) : newLayout(file, cursor);
}

function oldLayout(file, cursor) {
  const rank = cursor.number(1);
  const kind = cursor.number(1);
  cursor.skip(5);
  const address = kind === 0 ? UNDEFINED : cursor.address();
  const sizes = Array.from({ length: rank }, () => cursor.number(4));
  if (kind === 2) return { index: "tree", address, chunk: sizes.slice(0, -1), bytes: product(sizes) };
  return kind === 0 ? { compact: cursor.bytes(cursor.number(4)) } : { address, size: product(sizes) };
}

function chunkedLayout(cursor) {
  const rank = cursor.number(1);
  const address = cursor.address();
  const sizes = Array.from({ length: rank }, () => cursor.number(4));
  return checked({ index: "tree", address, chunk: sizes.slice(0, -1), bytes: product(sizes) });
}

function newLayout(file, cursor) {
  const flags = cursor.number(1);
  const rank = cursor.number(1);
  const width = cursor.number(1);
  const sizes = Array.from({ length: rank }, () => cursor.number(width));
  const index = cursor.number(1);
  const layout = { index, chunk: sizes.slice(0, -1), bytes: product(sizes), edges: (flags & 1) !== 0 };
  if (index === 1 && flags & 2) layout.filtered = { size: cursor.length(), mask: cursor.number(4) };
  else if (index === 3) cursor.skip(1);
  else if (index === 4) cursor.skip(5);
  else if (index === 5) cursor.skip(6);
  else if (index > 5) throw new Damaged("undecodable", "an index of another kind");
  return checked({ ...layout, address: cursor.address() });
}

function checked(layout) {
  if (layout.chunk.some((length) => !length)) throw new Damaged("undecodable", "a chunk without length");
  return layout;
}

/** The dimension without a largest size; -1 where there is none. */
function unlimitedOf(file, message) {
  const cursor = bodyOf(file, message);
  const version = cursor.number(1);
  const [rank, flags] = [cursor.number(1), cursor.number(1)];
  if (!(flags & 1)) return -1;
  cursor.skip((version === 1 ? 5 : 1) + rank * file.lengths);
  return Array.from({ length: rank }, () => cursor.length()).indexOf(UNDEFINED);
}

/** The bytes of the fill value, little-endian; zeros where there is none. */
function fillOf(file, find, type) {
  const item = new Uint8Array(type.size <= MOST ? type.size : 0);
  const [fresh, old] = [find(5), find(4)];
  const cursor = fresh ? bodyOf(file, fresh) : old ? bodyOf(file, old) : null;
  if (!cursor) return item;
  if (fresh) {
    const version = cursor.number(1);
    if (version < 3) {
      cursor.skip(2);
      if (!cursor.number(1)) return item;
    } else if (!(cursor.number(1) & 32)) return item;
  }
  const size = cursor.at + 4 <= cursor.end ? cursor.number(4) : 0;
  if (size !== type.size) return item;
  item.set(cursor.bytes(size));
  return ordered(item, type);
}

const ordered = (bytes, { big, size, dtype }) => (big ? swap(bytes.slice(), dtype.startsWith("complex") ? size / 2 : size) : bytes);

function readAll(dataset) {
  const { layout, shape, type, fill } = dataset;
  const total = product(shape) * type.size;
  if (layout.chunk) return readChunks(dataset, total);
  if (total > MOST) return lost(dataset, "over-limit", "more values than are held at once");
  try {
    if (layout.compact) return { bytes: ordered(sized(layout.compact.slice(0, total), total), type) };
    if (layout.address === UNDEFINED) return { bytes: fillWith(new Uint8Array(total), fill), absent: 0 };
    return { bytes: ordered(new Cursor(dataset.file, layout.address).bytes(total), type) };
  } catch (error) {
    if (!(error instanceof Damaged)) throw error;
    return lost(dataset, error.reason, error.message);
  }
}

/** What is known of an array none of whose values can be read: a few entries stand for all. */
function lost({ shape, type }, reason, detail) {
  const few = shape.map((size) => Math.min(size, 2));
  return { bytes: new Uint8Array(product(few) * type.size), shape: few, flags: new Uint8Array(product(few)).fill(1), damage: [{ key: "values", reason, detail }] };
}

function readChunks(dataset, total) {
  const { file, layout, shape, type, fill, unlimited } = dataset;
  let chunks;
  try {
    chunks = chunksOf(file, layout, shape, unlimited);
  } catch (error) {
    if (!(error instanceof Damaged)) throw error;
    return lost(dataset, error.reason, error.message);
  }
  const grid = gridOf(shape, layout.chunk);
  const result = { damage: [], absent: product(grid) - chunks.size, absentKeys: [] };
  if (total > MOST && chunks.size) return lost(dataset, "over-limit", "more values than are held at once");
  if (total > MOST) {
    const few = shape.map((size) => Math.min(size, 2));
    return { ...result, bytes: fillWith(new Uint8Array(product(few) * type.size), fill), shape: few };
  }
  const whole = { bytes: fillWith(new Uint8Array(total), fill), flags: null, strides: stridesOf(shape) };
  let number = 0;
  for (const index of indices(grid)) {
    const chunk = chunks.get(number++);
    if (!chunk) {
      if (result.absentKeys.length < SHOWN) result.absentKeys.push(index.join("."));
      continue;
    }
    const start = index.map((each, axis) => each * layout.chunk[axis]);
    const box = start.map((first, axis) => Math.min(layout.chunk[axis], shape[axis] - first));
    try {
      const entries = entriesOf(dataset, chunk, box.some((length, axis) => length < layout.chunk[axis]));
      copyBox(entries, stridesOf(layout.chunk), whole.bytes, whole.strides, start.reduce((at, first, axis) => at + first * whole.strides[axis], 0), box, type.size);
    } catch (error) {
      if (!(error instanceof Damaged)) throw error;
      whole.flags ??= new Uint8Array(product(shape));
      markBox(whole.flags, shape, start, box);
      if (result.damage.length < SHOWN) result.damage.push({ key: index.join("."), reason: error.reason, detail: error.message });
    }
  }
  return { bytes: whole.bytes, flags: whole.flags, ...result };
}

/** The entries of a stored chunk; an edge is not filtered where the layout says so. */
function entriesOf({ file, layout, type, filters }, { address, size, mask }, atEdge) {
  if (size > MOST) throw new Damaged("over-limit");
  const stored = new Cursor(file, address).bytes(size);
  const packed = layout.edges && atEdge ? [] : filters.packed.filter((_, at) => !((mask >>> at) & 1));
  if (product(layout.chunk) * type.size > MOST) throw new Damaged("over-limit");
  return ordered(unpacked(packed, stored, product(layout.chunk) * type.size), type);
}
