// Fractal heaps, B-trees of version 2 and the global heap of HDF5.

import { Damaged } from "./damage.mjs";
import { Cursor, UNDEFINED, widthOf } from "./hdf5_bytes.mjs";

/** The records of a B-tree of version 2, in order. */
export function recordsOf(file, address) {
  const cursor = new Cursor(file, address).signature("BTHD").skip(2);
  const [node, size] = [cursor.number(4), cursor.number(2)];
  const depth = cursor.number(2);
  cursor.skip(2);
  const root = cursor.address();
  const count = cursor.number(2);
  cursor.length();
  cursor.checksum(address);
  if (root === UNDEFINED) return [];
  if (!size || node < 16 || depth > 40) throw new Damaged("undecodable", "a B-tree without records");
  const levels = [{ most: Math.floor((node - 10) / size), all: Math.floor((node - 10) / size), width: 0 }];
  const counts = widthOf(levels[0].most);
  for (let level = 1; level <= depth; level += 1) {
    const pointer = file.offsets + counts + levels[level - 1].width;
    const most = Math.floor((node - 10 - pointer) / (size + pointer));
    const all = (most + 1) * levels[level - 1].all + most;
    levels.push({ most, all, width: widthOf(all) });
  }
  const records = [];
  const walk = (at, number, level) => {
    const inner = new Cursor(file, at).signature(level ? "BTIN" : "BTLF").skip(2);
    if (number > levels[level].most || records.length > 10_000_000) throw new Damaged("undecodable", "more records than a node has");
    const own = Array.from({ length: number }, () => inner.bytes(size));
    if (!level) {
      for (const each of own) records.push(each);
      return;
    }
    for (let each = 0; each <= number; each += 1) {
      const child = inner.address();
      const below = inner.number(counts);
      inner.skip(level > 1 ? levels[level - 1].width : 0);
      walk(child, below, level - 1);
      if (each < number) records.push(own[each]);
    }
  };
  walk(root, count, depth);
  return records;
}

/** What gives a cursor over an object of a fractal heap, by its id. */
export function heapOf(file, address) {
  const cursor = new Cursor(file, address).signature("FRHP").skip(1);
  const heap = { ids: cursor.number(2), filters: cursor.number(2), flags: cursor.number(1), most: cursor.number(4) };
  cursor.length();
  heap.huge = cursor.address();
  cursor.length();
  cursor.address();
  for (let each = 0; each < 4; each += 1) cursor.length();
  for (let each = 0; each < 4; each += 1) cursor.length();
  Object.assign(heap, { width: cursor.number(2), first: cursor.length(), direct: cursor.length(), bits: cursor.number(2) });
  cursor.skip(2);
  Object.assign(heap, { root: cursor.address(), rows: cursor.number(2) });
  if (heap.filters) throw new Damaged("undecodable", "a heap that is packed");
  cursor.checksum(address);
  heap.offsets = Math.ceil(heap.bits / 8);
  heap.lengths = Math.min(widthOf(heap.direct), widthOf(heap.most));
  return (id) => objectOf(file, heap, id);
}

const numberOf = (bytes) => bytes.reduceRight((value, byte) => value * 256 + byte, 0);

function objectOf(file, heap, id) {
  const kind = (id[0] >> 4) & 3;
  if (kind === 0) {
    const offset = numberOf(id.subarray(1, 1 + heap.offsets));
    const length = numberOf(id.subarray(1 + heap.offsets, 1 + heap.offsets + heap.lengths));
    const at = placeOf(file, heap, offset);
    return new Cursor(file, at, at + length);
  }
  if (kind === 2) throw new Damaged("undecodable", "an object within its id");
  const key = numberOf(id.subarray(1, 1 + Math.min(8, heap.ids - 1)));
  for (const record of recordsOf(file, heap.huge)) {
    const [address, length, number] = [0, file.offsets, file.offsets + file.lengths].map((at, each) => numberOf(record.subarray(at, at + (each ? file.lengths : file.offsets))));
    if (number === key) return new Cursor(file, address + file.base, address + file.base + length);
  }
  throw new Damaged("undecodable", "an object that is not in its heap");
}

/** Where in the file an offset of a heap is, by its doubling table of blocks. */
function placeOf(file, heap, offset) {
  let { root: block, rows } = heap;
  let start = 0;
  const sizeOf = (row) => heap.first * 2 ** Math.max(row - 1, 0);
  const directRows = Math.log2(heap.direct / heap.first) + 2;
  for (let depth = 0; rows > 0; depth += 1) {
    if (depth > 20 || block === UNDEFINED) throw new Damaged("undecodable", "a heap without end");
    const cursor = new Cursor(file, block).signature("FHIB").skip(1 + file.offsets + heap.offsets);
    let row = 0;
    let begin = start;
    while (row < rows && offset >= begin + sizeOf(row) * heap.width) begin += sizeOf(row++) * heap.width;
    if (row === rows) throw new Damaged("undecodable", "an offset beyond its heap");
    const column = Math.floor((offset - begin) / sizeOf(row));
    cursor.skip((row * heap.width + column) * file.offsets);
    block = cursor.address();
    start = begin + column * sizeOf(row);
    rows = row < directRows ? 0 : Math.log2(sizeOf(row) / (heap.first * heap.width)) + 1;
  }
  if (block === UNDEFINED) throw new Damaged("undecodable", "a block of a heap that is not there");
  new Cursor(file, block).signature("FHDB");
  return block + offset - start;
}

/** The bytes of an object of the global heap; null where there is none. */
export function globalOf(file, address, index) {
  if (address === UNDEFINED || index === 0) return null;
  file.collections ??= new Map();
  if (!file.collections.has(address)) file.collections.set(address, collectionAt(file, address));
  const found = file.collections.get(address).get(index);
  if (!found) throw new Damaged("undecodable", "an object that is not in the global heap");
  return found;
}

function collectionAt(file, address) {
  const cursor = new Cursor(file, address).signature("GCOL").skip(4);
  const end = address + cursor.length();
  const objects = new Map();
  while (cursor.at + 16 <= end) {
    const index = cursor.number(2);
    cursor.skip(6);
    const size = cursor.length();
    if (index === 0) break;
    objects.set(index, cursor.bytes(size));
    cursor.skip((8 - (size % 8)) % 8);
  }
  return objects;
}
