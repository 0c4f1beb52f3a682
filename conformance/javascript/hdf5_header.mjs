// Superblock, object headers and links of HDF5.

import { Damaged } from "./damage.mjs";
import { Cursor, UNDEFINED } from "./hdf5_bytes.mjs";
import { heapOf, recordsOf } from "./hdf5_heap.mjs";

const SIGNATURE = [137, 72, 68, 70, 13, 10, 26, 10];
const BLOCKS = 10_000;

const hasSignature = (bytes, at) => SIGNATURE.every((byte, each) => bytes[at + each] === byte);

/** Where a file begins, behind a user block; -1 where it is no HDF5. */
export async function startOf(entry) {
  for (let at = 0; at + 8 <= entry.size; at = at ? at * 2 : 512) if (hasSignature(await entry.read(at, 8), 0)) return at;
  return -1;
}

/** The file of these bytes, by its superblock: {bytes, view, base, offsets, lengths, end, root, open}. Throws `Damaged`. */
export function fileOf(bytes, start) {
  const file = { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length), base: start, offsets: 8, lengths: 8, open: false };
  const cursor = new Cursor(file, start + 8);
  const version = cursor.number(1);
  if (version > 3) throw new Damaged("undecodable", `a superblock of version ${version}`);
  if (version < 2) {
    cursor.skip(4);
    [file.offsets, file.lengths] = [cursor.number(1), cursor.number(1)];
    checkWidths(file);
    cursor.skip(1 + 4 + 4 + (version === 1 ? 4 : 0));
  } else {
    [file.offsets, file.lengths] = [cursor.number(1), cursor.number(1)];
    checkWidths(file);
    file.open = version === 3 && (cursor.number(1) & 5) !== 0;
    if (version === 2) cursor.skip(1);
  }
  const moved = start - cursor.number(file.offsets); // addresses count from the superblock, wherever it was put
  cursor.address();
  const stored = cursor.number(file.offsets);
  const end = stored === UNDEFINED ? UNDEFINED : stored + moved;
  if (version < 2) {
    cursor.address();
    cursor.skip(file.offsets);
    file.root = cursor.address();
  } else {
    file.root = cursor.address();
    cursor.checksum(start);
  }
  if (end === UNDEFINED || end > bytes.length) throw new Damaged("truncated", "the file ends before the end that it declares");
  if (file.root === UNDEFINED || file.root >= end) throw new Damaged("truncated", "a root beyond the end");
  return Object.assign(file, { end });
}

function checkWidths({ offsets, lengths }) {
  if (![2, 4, 8].includes(offsets) || ![2, 4, 8].includes(lengths)) throw new Damaged("undecodable", "addresses of an unknown size");
}

/** The messages of the object header at an address: [{type, flags, at, end}]. Throws `Damaged`. */
export function messagesOf(file, address) {
  const cursor = new Cursor(file, address);
  const messages = [];
  const state = { file, messages, blocks: [], tracked: false };
  if (String.fromCharCode(...file.bytes.subarray(address, address + 4)) === "OHDR") readNew(state, cursor, address);
  else readOld(state, cursor);
  for (let each = 0; each < state.blocks.length; each += 1) {
    if (each > BLOCKS) throw new Damaged("over-limit", "too many blocks of a header");
    const [start, length] = state.blocks[each];
    const block = new Cursor(file, start, start + length);
    if (!state.isNew) readMessages(state, block, start + length);
    else {
      block.signature("OCHK");
      readMessages(state, block, start + length - 4);
      block.at = start + length - 4;
      block.checksum(start);
    }
  }
  return messages;
}

function readOld(state, cursor) {
  if (cursor.number(1) !== 1) throw new Damaged("undecodable", "no object header");
  cursor.skip(7);
  const size = cursor.number(4);
  cursor.skip(4);
  readMessages(state, cursor, cursor.at + size);
}

function readNew(state, cursor, address) {
  state.isNew = true;
  if (cursor.signature("OHDR").number(1) !== 2) throw new Damaged("undecodable", "an object header of another version");
  const flags = cursor.number(1);
  state.tracked = (flags & 4) !== 0;
  if (flags & 32) cursor.skip(16);
  if (flags & 16) cursor.skip(4);
  const size = cursor.number(1 << (flags & 3));
  const end = cursor.at + size;
  readMessages(state, cursor, end);
  cursor.at = end;
  cursor.checksum(address);
}

function readMessages({ file, messages, blocks, isNew, tracked }, cursor, end) {
  if (!(end <= cursor.end)) throw new Damaged("truncated", "a header ends behind its block");
  const least = isNew ? 4 + (tracked ? 2 : 0) : 8;
  while (cursor.at + least <= end) {
    const type = cursor.number(isNew ? 1 : 2);
    const size = cursor.number(2);
    const flags = cursor.number(1);
    cursor.skip(isNew ? (tracked ? 2 : 0) : 3);
    if (cursor.at + size > end) throw new Damaged("truncated", "a message ends behind its header");
    const message = { type, flags, at: cursor.at, end: cursor.at + size };
    if (type === 0x10) {
      const inner = new Cursor(file, message.at, message.end);
      blocks.push([inner.address(), inner.length()]);
    } else if (type) messages.push(message);
    cursor.skip(size);
  }
}

/** A cursor over a message; of a shared one, over that of the object that has it. */
export function bodyOf(file, { type, flags, at, end }) {
  if (!(flags & 2)) return new Cursor(file, at, end);
  const cursor = new Cursor(file, at, end);
  const version = cursor.number(1);
  const kind = cursor.number(1);
  if (version === 1) cursor.skip(6);
  if (version > 3 || (version === 3 && kind !== 2)) throw new Damaged("undecodable", "a message in a shared heap");
  const found = messagesOf(file, cursor.address()).find((message) => message.type === type && !(message.flags & 2));
  if (!found) throw new Damaged("undecodable", "a shared message that is not there");
  return new Cursor(file, found.at, found.end);
}

/** The links of a group by its messages: [{name (bytes), kind, address, target}]. */
export function linksOf(file, messages) {
  const links = messages.filter(({ type }) => type === 6).map((message) => linkAt(new Cursor(file, message.at, message.end)));
  const table = messages.find(({ type }) => type === 0x11);
  if (table) {
    const cursor = new Cursor(file, table.at, table.end);
    for (const each of oldLinks(file, cursor.address(), cursor.address())) links.push(each);
  }
  const info = messages.find(({ type }) => type === 2);
  if (info) for (const each of denseLinks(file, new Cursor(file, info.at, info.end))) links.push(each);
  return links;
}

function linkAt(cursor) {
  if (cursor.number(1) !== 1) throw new Damaged("undecodable", "a link of another version");
  const flags = cursor.number(1);
  const kind = flags & 8 ? cursor.number(1) : 0;
  if (flags & 4) cursor.skip(8);
  if (flags & 16) cursor.skip(1);
  const name = cursor.bytes(cursor.number(1 << (flags & 3)));
  if (kind === 0) return { name, kind: "hard", address: cursor.address() };
  return { name, kind: kind === 64 ? "external" : "soft" };
}

function denseLinks(file, cursor) {
  cursor.skip(1);
  if (cursor.number(1) & 1) cursor.skip(8);
  const [heap, names] = [cursor.address(), cursor.address()];
  if (heap === UNDEFINED || names === UNDEFINED) return [];
  const object = heapOf(file, heap);
  return recordsOf(file, names).map((record) => linkAt(object(record.subarray(4))));
}

function oldLinks(file, tree, heap) {
  const cursor = new Cursor(file, heap).signature("HEAP").skip(4);
  const size = cursor.length();
  cursor.length();
  const data = cursor.address();
  const names = new Cursor(file, data, data + size);
  const nameAt = (offset) => {
    const end = file.bytes.indexOf(0, data + offset);
    if (offset >= size || end < 0 || end >= names.end) throw new Damaged("truncated", "a name beyond its heap");
    return file.bytes.subarray(data + offset, end);
  };
  const links = [];
  for (const { child } of treeOf(file, tree, 0, () => ({ width: file.lengths }))) {
    const nodes = new Cursor(file, child).signature("SNOD").skip(2);
    for (let count = nodes.number(2); count > 0; count -= 1) {
      const name = nameAt(nodes.number(file.offsets));
      const address = nodes.address();
      const kind = nodes.number(4) === 2 ? "soft" : "hard";
      nodes.skip(20);
      links.push({ name, kind, address });
    }
  }
  return links;
}

/** The leaves of a B-tree of version 1: [{key, child}], `layout()` gives the width of a key. */
export function treeOf(file, address, type, layout, seen = new Set()) {
  if (address === UNDEFINED) return [];
  if (seen.has(address) || seen.size > 1_000_000) throw new Damaged("undecodable", "a tree within itself");
  seen.add(address);
  const cursor = new Cursor(file, address).signature("TREE");
  if (cursor.number(1) !== type) throw new Damaged("undecodable", "a tree of another kind");
  const level = cursor.number(1);
  const count = cursor.number(2);
  cursor.skip(2 * file.offsets);
  const found = [];
  for (let each = 0; each < count; each += 1) {
    const key = cursor.bytes(layout().width);
    const child = cursor.address();
    if (level) for (const each of treeOf(file, child, type, layout, seen)) found.push(each);
    else found.push({ key, child });
  }
  return found;
}
