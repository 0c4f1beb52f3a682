// LZMA: streams of xz (LZMA2), of the older `.lzma`, and raw ones. Bounded by the size that is expected.

import { crc32 } from "./checksums.mjs";
import { Damaged, mismatch, undecodable } from "./damage.mjs";

const ended = () => new Damaged("truncated", "the LZMA stream ends early");
const tooLong = () => new Damaged("wrong-length", "the LZMA stream is longer than expected");

/** Output that grows up to a limit; a match may reach back to its begin. */
class Output {
  constructor(limit) {
    this.bytes = new Uint8Array(Math.min(limit, 1 << 16));
    this.limit = limit;
    this.length = 0;
  }

  push(byte) {
    if (this.length === this.limit) throw tooLong();
    if (this.length === this.bytes.length) {
      const larger = new Uint8Array(Math.min(this.limit, 2 * this.length));
      larger.set(this.bytes);
      this.bytes = larger;
    }
    this.bytes[this.length++] = byte;
  }

  get content() {
    return this.bytes.slice(0, this.length);
  }
}

const probabilities = (count) => new Uint16Array(count).fill(1024);

/** The decoder of one LZMA stream: its probabilities, and the range coder over `bytes` from `at`. */
class Decoder {
  constructor(bytes, output) {
    Object.assign(this, { bytes, output });
  }

  reset(lc, lp, pb) {
    Object.assign(this, { lc, lp, pb, state: 0, distances: [0, 0, 0, 0] });
    this.literals = probabilities(0x300 << (lc + lp));
    this.matches = probabilities(12 << 4);
    for (const name of ["repeats", "repeats0", "repeats1", "repeats2"]) this[name] = probabilities(12);
    this.long0 = probabilities(12 << 4);
    this.slots = [0, 1, 2, 3].map(() => probabilities(64));
    this.special = probabilities(128);
    this.align = probabilities(16);
    this.lengths = [0, 1].map(() => ({ choice: probabilities(2), low: probabilities(128), middle: probabilities(128), high: probabilities(256) }));
  }

  begin(at) {
    if (at + 5 > this.bytes.length) throw ended();
    this.range = 0xffffffff;
    this.code = 0;
    for (let each = 1; each < 5; each += 1) this.code = ((this.code << 8) | this.bytes[at + each]) >>> 0;
    this.at = at + 5;
  }

  normalize() {
    if (this.range >= 1 << 24) return;
    if (this.at > this.bytes.length + 4) throw ended();
    this.range = (this.range << 8) >>> 0;
    this.code = ((this.code << 8) | (this.bytes[this.at++] ?? 0)) >>> 0;
  }

  bit(table, index) {
    const bound = (this.range >>> 11) * table[index];
    const found = this.code >= bound ? 1 : 0;
    if (found) {
      this.range -= bound;
      this.code = (this.code - bound) >>> 0;
      table[index] -= table[index] >> 5;
    } else {
      this.range = bound;
      table[index] += (2048 - table[index]) >> 5;
    }
    this.normalize();
    return found;
  }

  tree(table, bits, base = 0) {
    let symbol = 1;
    for (let each = 0; each < bits; each += 1) symbol = (symbol << 1) | this.bit(table, base + symbol);
    return symbol - (1 << bits);
  }

  reversed(table, bits, base) {
    let [symbol, value] = [1, 0];
    for (let each = 0; each < bits; each += 1) {
      const bit = this.bit(table, base + symbol);
      symbol = (symbol << 1) | bit;
      value |= bit << each;
    }
    return value;
  }

  direct(bits) {
    let value = 0;
    for (let each = 0; each < bits; each += 1) {
      this.range >>>= 1;
      const bit = this.code >= this.range ? 1 : 0;
      if (bit) this.code = (this.code - this.range) >>> 0;
      this.normalize();
      value = value * 2 + bit;
    }
    return value;
  }

  literal() {
    const { output, lc, lp, state } = this;
    const before = output.length ? output.bytes[output.length - 1] : 0;
    const base = 0x300 * (((output.length & ((1 << lp) - 1)) << lc) + (before >> (8 - lc)));
    let symbol = 1;
    if (state >= 7) {
      let match = output.bytes[output.length - this.distances[0] - 1];
      while (symbol < 256) {
        const expected = (match >> 7) & 1;
        match = (match << 1) & 255;
        const bit = this.bit(this.literals, base + ((1 + expected) << 8) + symbol);
        symbol = (symbol << 1) | bit;
        if (bit !== expected) break;
      }
    }
    while (symbol < 256) symbol = (symbol << 1) | this.bit(this.literals, base + symbol);
    output.push(symbol & 255);
    this.state = state < 4 ? 0 : state < 10 ? state - 3 : state - 6;
  }

  length({ choice, low, middle, high }, place) {
    if (!this.bit(choice, 0)) return this.tree(low, 3, place << 3) + 2;
    if (!this.bit(choice, 1)) return this.tree(middle, 3, place << 3) + 10;
    return this.tree(high, 8) + 18;
  }

  distance(length) {
    const slot = this.tree(this.slots[Math.min(length - 2, 3)], 6);
    if (slot < 4) return slot;
    const bits = (slot >> 1) - 1;
    const base = (2 | (slot & 1)) * 2 ** bits;
    if (slot < 14) return base + this.reversed(this.special, bits, base - slot);
    return base + this.direct(bits - 4) * 16 + this.reversed(this.align, 4, 0);
  }

  /** The length of the next match, after its distance was put first; 0 where one byte was repeated. */
  match(place) {
    const { state, distances } = this;
    if (!this.bit(this.repeats, state)) {
      const length = this.length(this.lengths[0], place);
      this.state = state < 7 ? 7 : 10;
      distances.unshift(this.distance(length));
      distances.length = 4;
      return length;
    }
    if (!this.bit(this.repeats0, state)) {
      if (!this.bit(this.long0, (state << 4) + place)) {
        this.state = state < 7 ? 9 : 11;
        return 1;
      }
    } else {
      const which = !this.bit(this.repeats1, state) ? 1 : !this.bit(this.repeats2, state) ? 2 : 3;
      distances.unshift(...distances.splice(which, 1));
    }
    this.state = state < 7 ? 8 : 11;
    return this.length(this.lengths[1], place);
  }

  /** Decodes until there are `end` bytes, or to the mark of the end; whether that was found. */
  run(end) {
    const { output } = this;
    while (output.length < end) {
      const place = output.length & ((1 << this.pb) - 1);
      if (!this.bit(this.matches, (this.state << 4) + place)) {
        this.literal();
        continue;
      }
      const length = this.match(place);
      const back = this.distances[0] + 1;
      if (back === 2 ** 32) return true;
      if (back > output.length) throw undecodable("a match before the begin");
      for (let each = 0; each < length; each += 1) output.push(output.bytes[output.length - back]);
    }
    return false;
  }
}

function properties(byte) {
  if (byte >= 225) throw undecodable("properties of LZMA");
  return [byte % 9, Math.floor(byte / 9) % 5, Math.floor(byte / 45)];
}

/** Chunks of LZMA2 from `at`; where they end. */
function lzma2(bytes, at, output) {
  const decoder = new Decoder(bytes, output);
  for (;;) {
    const control = bytes[at];
    if (control === undefined) throw ended();
    if (control === 0) return at + 1;
    const more = (bytes[at + 1] << 8) | bytes[at + 2];
    if (control < 128) {
      if (control > 2) throw undecodable("a chunk of LZMA2");
      if (at + 4 + more > bytes.length) throw ended();
      for (let each = 0; each <= more; each += 1) output.push(bytes[at + 3 + each]);
      at += 4 + more;
      continue;
    }
    const size = ((control & 31) << 16) + more + 1;
    const packed = ((bytes[at + 3] << 8) | bytes[at + 4]) + 1;
    const start = at + (control >= 0xc0 ? 6 : 5);
    if (start + packed > bytes.length) throw ended();
    if (control >= 0xa0) decoder.reset(...(control >= 0xc0 ? properties(bytes[at + 5]) : [decoder.lc, decoder.lp, decoder.pb]));
    if (decoder.lc === undefined) throw undecodable("a chunk of LZMA2 without properties");
    decoder.begin(start);
    decoder.run(output.length + size);
    at = start + packed;
  }
}

/** A number of several bytes as xz has them, and where it ends. */
function numberAt(bytes, at) {
  let [value, shift] = [0, 1];
  for (;;) {
    const byte = bytes[at++] ?? 0;
    value += (byte & 127) * shift;
    shift *= 128;
    if (byte < 128) return [value, at];
  }
}

const CHECKS = { 0: 0, 1: 4, 4: 8, 10: 32 };

/** The first stream of an xz file: its blocks, index and footer, whose checks by CRC-32 and CRC-64 are compared. */
function xz(bytes, limit) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length < 32) throw ended();
  const check = CHECKS[bytes[7]];
  if (check === undefined) throw undecodable("a check of xz");
  const output = new Output(limit);
  let at = 12;
  while (bytes[at] !== 0) {
    const begin = at;
    const header = (bytes[at] + 1) * 4;
    if (at + header > bytes.length) throw ended();
    if (crc32(bytes.subarray(at, at + header - 4)) !== view.getUint32(at + header - 4, true)) throw new Damaged("checksum", "header of a block");
    if (bytes[at + 1] & 3) throw undecodable("more filters than LZMA2");
    let place = at + 2;
    for (const flag of [64, 128]) if (bytes[at + 1] & flag) [, place] = numberAt(bytes, place);
    if (bytes[place] !== 0x21) throw undecodable("a filter that is not LZMA2");
    const from = output.length;
    at = lzma2(bytes, at + header, output);
    while ((at - begin) % 4) at += 1;
    if (at + check > bytes.length) throw ended();
    if (check === 4 && crc32(output.bytes.subarray(from, output.length)) !== view.getUint32(at, true)) mismatch();
    if (check === 8 && crc64(output.bytes.subarray(from, output.length)) !== view.getBigUint64(at, true)) mismatch();
    at += check;
  }
  at = indexOf(bytes, view, at);
  if (at + 12 > bytes.length || bytes[at + 10] !== 0x59 || bytes[at + 11] !== 0x5a) throw ended();
  if (crc32(bytes.subarray(at + 4, at + 10)) !== view.getUint32(at, true)) mismatch();
  return output.content;
}

/** Where the index of a stream that begins at `begin` ends: two numbers for each block, and its CRC-32. */
function indexOf(bytes, view, begin) {
  let [count, at] = numberAt(bytes, begin + 1);
  for (let left = 2 * count; left > 0 && at < bytes.length; left -= 1) [, at] = numberAt(bytes, at);
  while ((at - begin) % 4) at += 1;
  if (at + 4 > bytes.length) throw ended();
  if (crc32(bytes.subarray(begin, at)) !== view.getUint32(at, true)) mismatch();
  return at + 4;
}

let table64;
function crc64(bytes) {
  table64 ??= Array.from({ length: 256 }, (_, at) => {
    let value = BigInt(at);
    for (let bit = 0; bit < 8; bit += 1) value = value & 1n ? (value >> 1n) ^ 0xc96c5795d7870f42n : value >> 1n;
    return value;
  });
  let value = (1n << 64n) - 1n;
  for (const byte of bytes) value = table64[Number((value ^ BigInt(byte)) & 255n)] ^ (value >> 8n);
  return value ^ ((1n << 64n) - 1n);
}

/** The older format: properties, dictionary, size (or all ones), stream. */
function alone(bytes, limit) {
  if (bytes.length < 18) throw ended();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const size = view.getBigUint64(5, true);
  const output = new Output(limit);
  if (size !== (1n << 64n) - 1n && size > BigInt(limit)) throw tooLong();
  const decoder = new Decoder(bytes, output);
  decoder.reset(...properties(bytes[0]));
  decoder.begin(13);
  decoder.run(size === (1n << 64n) - 1n ? Infinity : Number(size));
  return output.content;
}

/** LZMA in the formats of `lzma` in Python: xz, the older one, or raw by its `filters`; at most `limit` bytes. */
export function lzma(bytes, limit, { format = 1, filters } = {}) {
  if (format === 3) {
    const output = new Output(limit);
    if (filters?.length !== 1 || filters[0].id !== 0x21) throw undecodable("raw LZMA of more than one filter");
    lzma2(bytes, 0, output);
    return output.content;
  }
  if (bytes[0] === 0xfd && bytes[1] === 0x37) return xz(bytes, limit);
  if (format === 1) throw bytes.length < 6 ? ended() : undecodable("no stream of xz");
  return alone(bytes, limit);
}
