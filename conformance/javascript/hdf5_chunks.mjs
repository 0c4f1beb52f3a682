// Where the chunks of an HDF5 dataset are: each index that layouts of version 1 to 4 have.

import { Damaged } from "./damage.mjs";
import { gridOf, product } from "./grid.mjs";
import { Cursor, UNDEFINED } from "./hdf5_bytes.mjs";
import { treeOf } from "./hdf5_header.mjs";
import { recordsOf } from "./hdf5_heap.mjs";

const view = (bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);

/** The stored chunks: the number of the chunk in C order of the grid → {address, size, mask}. */
export function chunksOf(file, layout, shape, unlimited) {
  const grid = gridOf(shape, layout.chunk);
  const found = new Map();
  const put = (number, chunk) => chunk.address !== UNDEFINED && number >= 0 && number < product(grid) && found.set(number, chunk);
  const at = (index) => (index.every((each, axis) => each < grid[axis]) ? index.reduce((number, each, axis) => number * grid[axis] + each, 0) : -1);
  if (layout.address !== UNDEFINED && !shape.includes(0)) INDEXES[layout.index](file, layout, { grid, put, at, unlimited });
  return found;
}

const INDEXES = { tree: byTree, 1: single, 2: implicit, 3: fixedArray, 4: extensibleArray, 5: byNewTree };

function byTree(file, { address, chunk, bytes }, { put, at }) {
  for (const { key, child } of treeOf(file, address, 1, () => ({ width: 8 + 8 * (chunk.length + 1) }))) {
    const numbers = view(key);
    const index = chunk.map((length, axis) => Number(numbers.getBigUint64(8 + 8 * axis, true)) / length);
    put(index.every(Number.isInteger) ? at(index) : -1, { address: child, size: numbers.getUint32(0, true) || bytes, mask: numbers.getUint32(4, true) });
  }
}

function single(_, { address, bytes, filtered }, { put }) {
  put(0, { address, size: filtered?.size ?? bytes, mask: filtered?.mask ?? 0 });
}

function implicit(_, { address, bytes }, { grid, put }) {
  for (let number = 0; number < product(grid); number += 1) put(number, { address: address + number * bytes, size: bytes, mask: 0 });
}

/** What reads an element of an index: an address, and where chunks are filtered, their size and mask. */
function elementOf(file, client, width, bytes) {
  return (cursor) => {
    const address = cursor.address();
    if (!client) return { address, size: bytes, mask: 0 };
    return { address, size: cursor.number(width - file.offsets - 4), mask: cursor.number(4) };
  };
}

function fixedArray(file, { address, bytes }, { put }) {
  const cursor = new Cursor(file, address).signature("FAHD").skip(1);
  const [client, width, bits] = [cursor.number(1), cursor.number(1), cursor.number(1)];
  const count = cursor.length();
  const block = cursor.address();
  cursor.checksum(address);
  if (block === UNDEFINED) return;
  const read = elementOf(file, client, width, bytes);
  const inner = new Cursor(file, block).signature("FADB").skip(2 + file.offsets);
  pages(inner, { count, width, read, page: 2 ** bits, block, put: (number, chunk) => put(number, chunk) });
}

/** Elements of a block, in pages where there are more than one has; pages that were never written are left out. */
function pages(cursor, { count, width, read, page, block, put }) {
  if (count <= page) {
    for (let number = 0; number < count; number += 1) put(number, read(cursor));
    return cursor.checksum(block);
  }
  const written = cursor.bytes(Math.ceil(Math.ceil(count / page) / 8));
  cursor.checksum(block);
  for (let first = 0; first < count; first += page) {
    const start = cursor.at;
    const some = Math.min(page, count - first);
    if (!((written[first / page >> 3] >> (7 - ((first / page) & 7))) & 1)) {
      cursor.skip(some * width + 4);
      continue;
    }
    for (let each = 0; each < some; each += 1) put(first + each, read(cursor));
    cursor.checksum(start);
  }
}

function extensibleArray(file, { address, bytes }, { grid, put, at, unlimited }) {
  const cursor = new Cursor(file, address).signature("EAHD").skip(1);
  const [client, width, bits, own, least, pointers, pageBits] = Array.from({ length: 7 }, () => cursor.number(1));
  for (let each = 0; each < 6; each += 1) cursor.length();
  const block = cursor.address();
  cursor.checksum(address);
  if (block === UNDEFINED) return;
  const order = extended(grid, unlimited, at);
  const array = { file, bits, least, width, page: 2 ** pageBits, read: elementOf(file, client, width, bytes), put: (number, chunk) => put(order(number), chunk) };
  const inner = new Cursor(file, block).signature("EAIB").skip(2 + file.offsets);
  for (let number = 0; number < own; number += 1) array.put(number, array.read(inner));
  const supers = Math.log2(2 ** bits / least) + 1;
  const direct = 2 * Math.log2(pointers);
  let first = own;
  for (let each = 0; each < supers; each += 1) {
    const [blocks, size] = [2 ** Math.floor(each / 2), least * 2 ** Math.ceil(each / 2)];
    if (first >= product(grid) * 2 && first > own) break;
    if (each < direct) for (let part = 0; part < blocks; part += 1, first += size) dataBlock(array, inner.address(), first, size);
    else {
      superBlock(array, inner.address(), first, blocks, size);
      first += blocks * size;
    }
  }
}

/** Numbers of an extensible array run along the unlimited dimension last: each as the number in C order. */
function extended(grid, unlimited, at) {
  const axis = Math.max(unlimited, 0);
  const others = grid.map((_, each) => each).filter((each) => each !== axis);
  return (number) => {
    const index = new Array(grid.length).fill(0);
    for (const each of [...others].reverse()) [number, index[each]] = [Math.floor(number / grid[each]), number % grid[each]];
    index[axis] = number;
    return at(index);
  };
}

function dataBlock({ file, bits, width, page, read, put }, address, first, size) {
  if (address === UNDEFINED) return;
  const cursor = new Cursor(file, address).signature("EADB").skip(2 + file.offsets + Math.ceil(bits / 8));
  if (size <= page) {
    for (let each = 0; each < size; each += 1) put(first + each, read(cursor));
    return void cursor.checksum(address);
  }
  cursor.checksum(address);
  for (let each = 0; each < size; each += page) {
    for (let one = 0; one < page; one += 1) put(first + each + one, read(cursor));
    cursor.skip(4);
  }
}

function superBlock(array, address, first, blocks, size) {
  if (address === UNDEFINED) return;
  const cursor = new Cursor(array.file, address).signature("EASB").skip(2 + array.file.offsets + Math.ceil(array.bits / 8));
  if (size > array.page) cursor.skip(blocks * Math.ceil(size / array.page / 8));
  for (let each = 0; each < blocks; each += 1) dataBlock(array, cursor.address(), first + each * size, size);
}

function byNewTree(file, { address, chunk, bytes }, { put, at }) {
  const kind = new Cursor(file, address).signature("BTHD").skip(1).number(1);
  if (kind !== 10 && kind !== 11) throw new Damaged("undecodable", "a tree of another kind");
  for (const record of recordsOf(file, address)) {
    const cursor = new Cursor({ ...file, bytes: record, view: view(record) }, 0);
    const where = cursor.address();
    const rest = record.length - file.offsets - 8 * chunk.length;
    const size = kind === 11 ? cursor.number(rest - 4) : bytes;
    const mask = kind === 11 ? cursor.number(4) : 0;
    put(at(chunk.map(() => cursor.number(8))), { address: where, size, mask });
  }
}

