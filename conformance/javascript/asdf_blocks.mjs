// The parts of an ASDF file: its tree as text, its blocks, and whether everything in it is accounted for.

import { bzip2, lz4Block, zlib } from "./compressors.mjs";
import { claimed, Damaged, mismatch, sized } from "./damage.mjs";
import { Unreadable } from "./json.mjs";
import { md5 } from "./md5.mjs";

const TREE = 32 << 20;
const HEADER = 48;
const INDEX = "#ASDF BLOCK INDEX";
const STANDARDS = /^1[.][0-6][.]0$/;

const latin = (bytes) => new TextDecoder("latin1").decode(bytes);

/** Whether bytes at the begin of a file are those of ASDF. */
export const isAsdf = (head) => latin(head.subarray(0, 6)) === "#ASDF ";

/** The parts of a file: {standard, text, blocks, readings}. Throws `Unreadable` or `Damaged`. */
export async function partsOf(file) {
  const head = await file.read(0, Math.min(file.size, TREE + (1 << 16)));
  const [, format, standard] = /^#ASDF ([^\r\n]*)\r?\n(?:#ASDF_STANDARD ([^\r\n]*)\r?\n)?/.exec(latin(head.subarray(0, 200))) ?? [];
  if (format !== "1.0.0") throw new Unreadable("unsupported", `version ${format} of the file format`);
  if (standard !== undefined && !STANDARDS.test(standard)) throw new Unreadable("unsupported", `version ${standard} of the standard`);
  const end = endOf(head);
  if (end < 0) throw head.length > TREE ? new Unreadable("over-limit", "a tree that is too long") : new Damaged("truncated", "the tree does not end");
  if (end > TREE) throw new Unreadable("over-limit", `a tree of ${end} bytes`);
  const { blocks, readings } = await blocksOf(file, end);
  return { standard: standard ?? "1.6.0", text: head.subarray(0, end), blocks, readings };
}

/** Where the tree ends: behind the line of three dots, or where a file without a tree has its blocks. */
function endOf(bytes) {
  for (let at = bytes.indexOf(46); at >= 0; at = bytes.indexOf(46, at + 1)) {
    if (bytes[at - 1] !== 10 || bytes[at + 1] !== 46 || bytes[at + 2] !== 46) continue;
    if (bytes[at + 3] === 10) return at + 4;
    if (bytes[at + 3] === 13 && bytes[at + 4] === 10) return at + 5;
    if (at + 3 === bytes.length) return at + 3;
  }
  return -1;
}

const isMagic = (bytes, at) => bytes[at] === 0xd3 && bytes[at + 1] === 0x42 && bytes[at + 2] === 0x4c && bytes[at + 3] === 0x4b;
const isBlank = (byte) => byte === 0 || byte === 9 || byte === 10 || byte === 13 || byte === 32;

async function blocksOf(file, start) {
  const blocks = [];
  const readings = [];
  let at = await skipBlank(file, start);
  while (at + 6 <= file.size) {
    const bytes = await file.read(at, 6 + HEADER);
    if (!isMagic(bytes, 0)) break;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const size = view.getUint16(4);
    if (size < HEADER || bytes.length < 6 + HEADER) {
      blocks.push({ at, damage: "a header that ends early" });
      return { blocks, readings };
    }
    const [allocated, used, length] = [14, 22, 30].map((place) => Number(view.getBigUint64(place)));
    const block = { at, file, data: at + 6 + size, streamed: (view.getUint32(6) & 1) === 1, packing: latin(bytes.subarray(10, 14)), used, length, sum: bytes.slice(38, 54), damage: null };
    blocks.push(block);
    if (block.streamed) return { blocks, readings };
    if (block.data + allocated > file.size) block.damage = "ends behind the file";
    else if (used > allocated) block.damage = "uses more than it has";
    if (block.damage) return { blocks, readings };
    at = await skipBlank(file, block.data + allocated);
  }
  for (const each of await indexReadings(file, blocks, at)) readings.push(each);
  return { blocks, readings };
}

async function skipBlank(file, start) {
  for (let at = start; at < file.size; at += 4096) {
    const bytes = await file.read(at, 4096);
    const found = bytes.findIndex((byte) => !isBlank(byte));
    if (found >= 0) return at + found;
  }
  return file.size;
}

/** What is wrong behind the blocks: an index of other offsets, or bytes that belong to nothing. */
async function indexReadings(file, blocks, at) {
  const tail = Math.max(0, file.size - (1 << 20));
  const last = latin(await file.read(tail)).lastIndexOf(INDEX);
  if (last >= 0 && tail + last < at) return ["a block that ends like a block index"];
  if (at >= file.size) return [];
  const text = latin(await file.read(at));
  const [, lines] = /^#ASDF BLOCK INDEX\r?\n(?:%YAML[^\n]*\n)?---[ \r]*\n?((?:- *[0-9]+\s*\n|\[[0-9,\s]*\]\s*)*)[.][.][.][\s\0]*$/.exec(text) ?? [];
  if (lines === undefined) return ["bytes that belong to no block"];
  const offsets = (lines.match(/[0-9]+/g) ?? []).map(Number);
  return offsets.length === blocks.length && offsets.every((offset, each) => offset === blocks[each].at) ? [] : ["a block index of other offsets"];
}

const PACKINGS = { "\0\0\0\0": null, zlib, bzp2: bzip2, "lz4\0": lz4Parts };
export const isKnown = (packing) => Object.hasOwn(PACKINGS, packing);
export const isPacked = ({ packing }) => PACKINGS[packing] !== null;

/** The content of a block. Throws `Damaged`. */
export async function contentOf({ file, data, used, length, packing, sum }) {
  const stored = await file.read(data, used);
  const content = PACKINGS[packing] ? PACKINGS[packing](stored, length) : sized(stored, length);
  const isSum = (bytes) => md5(bytes).every((byte, at) => byte === sum[at]);
  if (sum.some((byte) => byte) && !isSum(content) && !isSum(stored)) mismatch();
  return content;
}

/** Parts of LZ4, each with its packed size and its size. */
function lz4Parts(bytes, size) {
  const found = new Uint8Array(size);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let to = 0;
  for (let at = 0; at < bytes.length; ) {
    if (at + 8 > bytes.length) throw new Damaged("truncated");
    const packed = view.getUint32(at);
    const length = view.getUint32(at + 4, true);
    claimed(length, null);
    if (packed < 4 || at + 4 + packed > bytes.length || to + length > size) throw new Damaged("wrong-length", `a part of ${length} bytes`);
    found.set(lz4Block(bytes.subarray(at + 8, at + 4 + packed), length), to);
    at += 4 + packed;
    to += length;
  }
  return sized(found.subarray(0, to), size);
}
