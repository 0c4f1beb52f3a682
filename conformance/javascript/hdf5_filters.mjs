// Filters of HDF5 as codecs of a chain.

import { unshuffled } from "./blosc.mjs";
import { fletcher32 } from "./checksums.mjs";
import { zlib } from "./compressors.mjs";
import { Damaged, mismatch, sized, undecodable } from "./damage.mjs";
import { doublesOf, swap, viewOf } from "./dtypes.mjs";

const NAMES = { 1: "deflate", 2: "shuffle", 3: "fletcher32", 4: "szip", 5: "nbit", 6: "scaleoffset", 32000: "lzf" };

const DECODERS = {
  1: () => ({ grows: () => null, decode: zlib }),
  2: ([width]) => ({ grows: (size) => size, decode: (bytes) => (width > 1 ? unshuffled(bytes, width) : bytes) }),
  3: () => ({ grows: (size) => size + 4, decode: unsummed }),
  5: (values) => ({ grows: () => null, decode: (bytes, size) => nbit(bytes, size, values) }),
  6: (values) => ({ grows: () => null, decode: (bytes, size) => scaleOffset(bytes, size, values) }),
};

/** The filters of a message: {names, packed, known}. */
export function filtersAt(cursor) {
  const version = cursor.number(1);
  const count = cursor.number(1);
  if (version === 1) cursor.skip(6);
  const found = { names: [], packed: [], known: true };
  for (let each = 0; each < count; each += 1) {
    const id = cursor.number(2);
    const length = version === 1 || id >= 256 ? cursor.number(2) : 0;
    cursor.skip(2);
    const values = cursor.number(2);
    cursor.skip(version === 1 ? Math.ceil(length / 8) * 8 : length);
    const numbers = Array.from({ length: values }, () => cursor.number(4));
    if (version === 1 && values % 2) cursor.skip(4);
    found.names.push(NAMES[id] ?? `hdf5-${id}`);
    if (DECODERS[id]) found.packed.push(DECODERS[id](numbers));
    else found.known = false;
  }
  return found;
}

/** A chunk without its checksum, which old versions stored with swapped bytes. */
function unsummed(bytes, size) {
  if (bytes.length < 4) throw new Damaged("truncated");
  const content = bytes.subarray(0, -4);
  const stored = new DataView(bytes.buffer, bytes.byteOffset + content.length).getUint32(0, true);
  const sum = fletcher32(content);
  const swapped = ((sum & 0x00ff00ff) << 8) | ((sum >>> 8) & 0x00ff00ff);
  if (stored !== sum && stored !== swapped >>> 0) mismatch();
  return sized(content, size);
}

/** Reads numbers of so many bits, the highest first. */
function bitReader(bytes, start) {
  let at = start * 8;
  return (count) => {
    let value = 0n;
    for (let each = 0; each < count; each += 1, at += 1) {
      if (at >> 3 >= bytes.length) throw new Damaged("truncated");
      value = (value << 1n) | BigInt((bytes[at >> 3] >> (7 - (at & 7))) & 1);
    }
    return value;
  };
}

function put(found, at, width, big, value) {
  for (let byte = 0; byte < width; byte += 1) found[at + (big ? width - 1 - byte : byte)] = Number((value >> BigInt(8 * byte)) & 255n);
}

function nbit(bytes, size, [, plain, count, kind, width, order, precision, offset]) {
  if (plain) return sized(bytes, size);
  if (kind !== 1 || count * width !== size) throw undecodable("n-bit packing of other than numbers");
  const read = bitReader(bytes, 0);
  const found = new Uint8Array(size);
  for (let each = 0; each < count; each += 1) put(found, each * width, width, order === 1, read(precision) << BigInt(offset));
  return found;
}

function scaleOffset(bytes, size, [kind, factor, count, type, width, signed, order, filled, ...fill]) {
  if (bytes.length < 21) throw new Damaged("truncated");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const bits = view.getUint32(0, true);
  if (count * width !== size || bits > 8 * width) throw undecodable("scale and offset of another size");
  if (bits === 8 * width) return order === 1 ? swap(sized(bytes.slice(21), size), width) : sized(bytes.slice(21), size);
  const least = view.getBigUint64(5, true);
  const read = bitReader(bytes, 21);
  const found = new Uint8Array(size);
  const all = (1n << BigInt(bits)) - 1n;
  const filler = fill.reduce((value, word, at) => value | (BigInt(word) << BigInt(32 * at)), 0n);
  const decode = type === 0 ? (value) => value + least : floatOf({ kind, factor, width, least: bytes.slice(5, 13) });
  for (let each = 0; each < count; each += 1) {
    const value = bits ? read(bits) : 0n;
    put(found, each * width, width, order === 1, filled && bits && value === all ? filler : decode(value));
  }
  return found;
}

/** The bits of a float that was stored as a number of steps above the least one. */
function floatOf({ kind, factor, width, least }) {
  if (kind !== 0) throw undecodable("scale and offset by powers of two");
  const dtype = width === 4 ? "float32" : "float64";
  const [start] = doublesOf(least.slice(0, width), dtype);
  const round = width === 4 ? Math.fround : (value) => value;
  const scale = round(10 ** (factor | 0));
  const cell = new Uint8Array(width);
  const number = viewOf(cell, dtype);
  const bits = viewOf(cell, width === 4 ? "uint32" : "uint64");
  return (value) => {
    number[0] = round(round(Number(value)) / scale) + start;
    return BigInt(bits[0]);
  };
}
