// Streams of bzip2, one after another, within a limit of bytes.

import { Damaged, mismatch, undecodable } from "./damage.mjs";

const BLOCK = 0x314159265359;
const END = 0x177245385090;

/** Bits of a stream, the highest of each byte first. */
class Bits {
  constructor(bytes) {
    Object.assign(this, { bytes, at: 0 });
  }

  read(count) {
    let value = 0;
    for (let left = count; left > 0; ) {
      const byte = this.bytes[this.at >> 3];
      if (byte === undefined) throw new Damaged("truncated", "the bzip2 stream ends early");
      const some = Math.min(left, 8 - (this.at & 7));
      value = value * 2 ** some + ((byte >> (8 - (this.at & 7) - some)) & ((1 << some) - 1));
      this.at += some;
      left -= some;
    }
    return value;
  }
}

const CRC = Int32Array.from({ length: 256 }, (_, at) => {
  let value = at << 24;
  for (let bit = 0; bit < 8; bit += 1) value = value < 0 ? (value << 1) ^ 0x04c11db7 : value << 1;
  return value;
});

/** The content of all streams; at most `limit` bytes. */
export function bzip2(bytes, limit) {
  const output = { bytes: new Uint8Array(Math.min(limit, 1 << 16)), length: 0, limit };
  for (let start = 0; start < bytes.length; start = streamAt(bytes, start, output));
  return output.bytes.slice(0, output.length);
}

function put(output, byte) {
  if (output.length === output.limit) throw new Damaged("wrong-length", "the bzip2 stream is longer than expected");
  if (output.length === output.bytes.length) {
    const larger = new Uint8Array(Math.min(output.limit, 2 * output.length));
    larger.set(output.bytes);
    output.bytes = larger;
  }
  output.bytes[output.length++] = byte;
}

/** Decodes the stream at a byte; where it ends. */
function streamAt(bytes, start, output) {
  const bits = new Bits(bytes.subarray(start));
  const level = bits.read(32) - 0x425a6830;
  if (level < 1 || level > 9) throw undecodable("no bzip2 stream");
  let sum = 0;
  for (;;) {
    const magic = bits.read(48);
    const expected = bits.read(32) | 0;
    if (magic === END) {
      if (expected !== sum) mismatch();
      return start + Math.ceil(bits.at / 8);
    }
    if (magic !== BLOCK) throw undecodable("no block of bzip2");
    const found = blockAt(bits, level * 100_000, output);
    if (found !== expected) mismatch();
    sum = ((sum << 1) | (sum >>> 31)) ^ found;
  }
}

/** The code lengths of a table as {limits, bases, symbols}, by which codes are read. */
function tableOf(lengths) {
  const symbols = [];
  const [limits, bases] = [new Int32Array(22).fill(-1), new Int32Array(22)];
  let code = 0;
  for (let length = 1; length <= 20; length += 1) {
    const first = symbols.length;
    lengths.forEach((each, symbol) => each === length && symbols.push(symbol));
    const count = symbols.length - first;
    bases[length] = first - code;
    if (count) limits[length] = code + count - 1;
    code = (code + count) * 2;
  }
  return { limits, bases, symbols };
}

function symbolAt(bits, { limits, bases, symbols }) {
  let code = 0;
  for (let length = 1; length <= 20; length += 1) {
    code = (code << 1) | bits.read(1);
    if (code <= limits[length] && symbols[code + bases[length]] !== undefined) return symbols[code + bases[length]];
  }
  throw undecodable("no code of bzip2");
}

function headOf(bits) {
  const used = [];
  const groups = bits.read(16);
  for (let group = 0; group < 16; group += 1) {
    if (!((groups >> (15 - group)) & 1)) continue;
    const some = bits.read(16);
    for (let each = 0; each < 16; each += 1) if ((some >> (15 - each)) & 1) used.push(16 * group + each);
  }
  const tables = bits.read(3);
  const count = bits.read(15);
  if (!used.length || tables < 2 || tables > 6 || !count) throw undecodable("a block of bzip2 without codes");
  const order = Array.from({ length: tables }, (_, at) => at);
  const selectors = Array.from({ length: count }, () => {
    let place = 0;
    while (bits.read(1)) place += 1;
    if (place >= tables) throw undecodable("no table of bzip2");
    order.unshift(...order.splice(place, 1));
    return order[0];
  });
  const codes = Array.from({ length: tables }, () => {
    let length = bits.read(5);
    return tableOf(Array.from({ length: used.length + 2 }, () => {
      while (bits.read(1)) length += bits.read(1) ? -1 : 1;
      if (length < 1 || length > 20) throw undecodable("a code of bzip2 that is too long");
      return length;
    }));
  });
  return { used, selectors, codes };
}

/** Decodes a block into the output; its checksum. */
function blockAt(bits, most, output) {
  if (bits.read(1)) throw undecodable("a randomised block of bzip2");
  const origin = bits.read(24);
  const { used, selectors, codes } = headOf(bits);
  const stored = new Uint8Array(most);
  const counts = new Int32Array(256);
  let length = 0;
  const add = (byte, times) => {
    if (length + times > most) throw undecodable("a block of bzip2 that is too long");
    stored.fill(byte, length, length + times);
    counts[byte] += times;
    length += times;
  };
  let [run, weight] = [0, 1];
  for (let number = 0; ; number += 1) {
    const table = codes[selectors[Math.floor(number / 50)]];
    if (!table) throw undecodable("a block of bzip2 without end");
    const symbol = symbolAt(bits, table);
    if (symbol < 2) {
      if (weight > most) throw undecodable("a run of bzip2 that is too long");
      run += weight << symbol;
      weight *= 2;
      continue;
    }
    if (run) add(used[0], run);
    [run, weight] = [0, 1];
    if (symbol === used.length + 1) break;
    used.unshift(...used.splice(symbol - 1, 1));
    add(used[0], 1);
  }
  if (origin >= length) throw undecodable("a block of bzip2 without begin");
  return unrun(unsorted(stored, counts, length), origin, length, output);
}

/** For each place of the sorted block, the place of the next byte times 256, and the byte. */
function unsorted(stored, counts, length) {
  const links = new Uint32Array(length);
  const places = new Int32Array(256);
  for (let byte = 1; byte < 256; byte += 1) places[byte] = places[byte - 1] + counts[byte - 1];
  for (let at = 0; at < length; at += 1) links[places[stored[at]]++] = at * 256;
  for (let at = 0; at < length; at += 1) links[at] += stored[at];
  return links;
}

/** Writes the bytes of a block, each run of four followed by how often more; the checksum. */
function unrun(links, origin, length, output) {
  let sum = -1;
  let [at, last, same] = [links[origin] >>> 8, -1, 0];
  for (let each = 0; each < length; each += 1) {
    const byte = links[at] & 255;
    at = links[at] >>> 8;
    const times = same === 4 ? byte : 1;
    const value = same === 4 ? last : byte;
    for (let one = 0; one < times; one += 1) {
      put(output, value);
      sum = (sum << 8) ^ CRC[((sum >>> 24) ^ value) & 255];
    }
    same = same === 4 ? 0 : byte === last ? same + 1 : 1;
    last = same === 0 ? -1 : byte;
  }
  return ~sum;
}
