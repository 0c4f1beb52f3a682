// The bytes of an HDF5 file: numbers at a place, and checksums of its structures.

import { Damaged } from "./damage.mjs";

/** An address or a size that is not there. */
export const UNDEFINED = -1;

/** Reads numbers one after another, within the bytes of a file. */
export class Cursor {
  constructor(file, at, end = file.bytes.length) {
    Object.assign(this, { file, at, end, view: file.view });
    if (!(at >= 0) || at > end || end > file.bytes.length) throw new Damaged("truncated", "a place beyond the file");
  }

  need(count) {
    if (!(this.at + count <= this.end)) throw new Damaged("truncated", "a structure ends early");
    this.at += count;
    return this.at - count;
  }

  /** A number of so many bytes; all ones is `UNDEFINED` where it has eight bytes or is an address. */
  number(width) {
    if (width === 1) return this.view.getUint8(this.need(1));
    if (width === 2) return this.view.getUint16(this.need(2), true);
    if (width === 4) return this.view.getUint32(this.need(4), true);
    let [value, ones] = [0, true];
    const start = this.need(width);
    for (let each = width - 1; each >= 0; each -= 1) {
      const byte = this.view.getUint8(start + each);
      ones &&= byte === 255;
      value = value * 256 + byte;
    }
    return ones && width >= 8 ? UNDEFINED : value;
  }

  /** An address in the file; `UNDEFINED` where there is none. */
  address() {
    const { offsets, base } = this.file;
    const value = this.number(offsets);
    const none = value === UNDEFINED || (offsets < 8 && value === 256 ** offsets - 1);
    return none ? UNDEFINED : value + base;
  }

  length() {
    return this.number(this.file.lengths);
  }

  bytes(count) {
    const start = this.need(count);
    return this.file.bytes.subarray(start, start + count);
  }

  skip(count) {
    this.need(count);
    return this;
  }

  /** Checks four letters. */
  signature(letters) {
    const found = String.fromCharCode(...this.bytes(4));
    if (found !== letters) throw new Damaged("undecodable", `expected ${letters}, found ${JSON.stringify(found)}`);
    return this;
  }

  /** Checks the checksum at this place, of all bytes from `start`. */
  checksum(start) {
    const sum = lookup3(this.file.bytes.subarray(start, this.at));
    if (this.number(4) !== sum) throw new Damaged("checksum", "a structure of another checksum");
  }
}

const turn = (value, by) => (value << by) | (value >>> (32 - by));

/** The checksum of HDF5's structures: "lookup3" by Bob Jenkins, with the start value 0. */
export function lookup3(bytes) {
  let a = (0xdeadbeef + bytes.length) | 0;
  let [b, c] = [a, a];
  let at = 0;
  const word = (place) => (bytes[place] ?? 0) | ((bytes[place + 1] ?? 0) << 8) | ((bytes[place + 2] ?? 0) << 16) | ((bytes[place + 3] ?? 0) << 24);
  for (; bytes.length - at > 12; at += 12) {
    [a, b, c] = [(a + word(at)) | 0, (b + word(at + 4)) | 0, (c + word(at + 8)) | 0];
    a = (a - c) ^ turn(c, 4), c = (c + b) | 0;
    b = (b - a) ^ turn(a, 6), a = (a + c) | 0;
    c = (c - b) ^ turn(b, 8), b = (b + a) | 0;
    a = (a - c) ^ turn(c, 16), c = (c + b) | 0;
    b = (b - a) ^ turn(a, 19), a = (a + c) | 0;
    c = (c - b) ^ turn(b, 4), b = (b + a) | 0;
  }
  if (bytes.length - at === 0) return c >>> 0;
  [a, b, c] = [(a + word(at)) | 0, (b + word(at + 4)) | 0, (c + word(at + 8)) | 0];
  c = (c ^ b) - turn(b, 14) | 0;
  a = (a ^ c) - turn(c, 11) | 0;
  b = (b ^ a) - turn(a, 25) | 0;
  c = (c ^ b) - turn(b, 16) | 0;
  a = (a ^ c) - turn(c, 4) | 0;
  b = (b ^ a) - turn(a, 14) | 0;
  c = (c ^ b) - turn(b, 24) | 0;
  return c >>> 0;
}

/** How many bytes a number up to `most` takes. */
export const widthOf = (most) => Math.max(1, Math.ceil(most.toString(2).length / 8));
