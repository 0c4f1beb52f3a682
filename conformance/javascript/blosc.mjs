// Frames of Blosc 1, and its shuffles of bytes and bits.

import { claimed, Damaged, sized, undecodable } from "./damage.mjs";
import { lz4Block, zlib, zstd } from "./compressors.mjs";

const HEADER = 16;

/** A frame of Blosc, decoded into `size` bytes (null: as many as it claims). */
export function blosc(bytes, size) {
  if (bytes.length < HEADER) throw new Damaged("truncated", "a Blosc header has 16 bytes");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const [flags, width] = [bytes[2], bytes[3] || 1];
  const [total, length, packed] = [4, 8, 12].map((at) => view.getUint32(at, true));
  if (bytes[0] !== 2) throw undecodable(`no Blosc frame of version 2: ${bytes[0]}`);
  claimed(total, size);
  if (packed !== bytes.length) throw new Damaged(packed > bytes.length ? "truncated" : "wrong-length", `claims ${packed} packed bytes`);
  if (total === 0) return new Uint8Array();
  if (flags & 2) return sized(bytes.slice(HEADER), total);
  if (length === 0 || length > total) throw undecodable(`a block of ${length} bytes`);
  const found = new Uint8Array(total);
  for (let block = 0; block * length < total; block += 1) {
    if (HEADER + 4 * block + 4 > bytes.length) throw new Damaged("truncated");
    const count = Math.min(length, total - block * length);
    const split = !(flags & 16) && width <= 16 && length / width >= 128 && count === length ? width : 1;
    const content = blockAt(bytes, view, view.getUint32(HEADER + 4 * block, true), { count, split, codec: flags >> 5 });
    found.set(flags & 1 && width > 1 ? unshuffled(content, width) : flags & 4 ? bitUnshuffled(content, width) : content, block * length);
  }
  return found;
}

const CODECS = [blosclz, lz4Block, undefined, zlib, zstd];

function blockAt(bytes, view, at, { count, split, codec }) {
  const decode = CODECS[codec];
  if (!decode) throw undecodable(`no codec ${codec} in Blosc`);
  const found = new Uint8Array(count);
  const part = Math.floor(count / split);
  for (let each = 0; each < split; each += 1) {
    if (at + 4 > bytes.length) throw new Damaged("truncated");
    const packed = view.getUint32(at, true);
    if (at + 4 + packed > bytes.length) throw new Damaged("truncated", "a block ends behind the frame");
    const stream = bytes.subarray(at + 4, at + 4 + packed);
    found.set(packed === part ? stream : decode(stream, part), each * part);
    at += 4 + packed;
  }
  return found;
}

function blosclz(bytes, size) {
  const found = new Uint8Array(size);
  let [at, to] = [0, 0];
  let control = bytes[at++] & 31;
  for (;;) {
    if (control < 32) {
      if (to + control + 1 > size || at + control + 1 > bytes.length) throw undecodable("literals beyond the block");
      found.set(bytes.subarray(at, at + control + 1), to);
      [at, to] = [at + control + 1, to + control + 1];
    } else {
      let [length, distance] = [(control >> 5) - 1, (control & 31) << 8];
      if (length === 6) for (let more = 255; more === 255; length += more) more = bytes[at++] ?? 0;
      const low = bytes[at++];
      distance += low;
      if (low === 255 && control % 32 === 31) (distance = ((bytes[at] << 8) | bytes[at + 1]) + 8191), (at += 2);
      distance += 1;
      if (!(distance <= to) || to + length + 3 > size) throw undecodable("a match beyond the block");
      for (const end = to + length + 3; to < end; to += 1) found[to] = found[to - distance];
    }
    if (at >= bytes.length) break;
    control = bytes[at++];
  }
  if (to !== size) throw new Damaged("truncated");
  return found;
}

/** Bytes whose first, second, … bytes of each item lie together, put back. */
export function unshuffled(bytes, width) {
  const count = Math.floor(bytes.length / width);
  const found = bytes.slice();
  for (let part = 0, from = 0; part < width; part += 1)
    for (let to = part, end = count * width; to < end; to += width) found[to] = bytes[from++];
  return found;
}

/** Likewise of bits; only where the number of items is a multiple of 8. */
function bitUnshuffled(bytes, width) {
  const count = Math.floor(bytes.length / width);
  if (count % 8) return bytes;
  const found = bytes.slice();
  found.fill(0, 0, count * width);
  for (let row = 0; row < 8 * width; row += 1)
    for (let item = 0; item < count; item += 1)
      if ((bytes[(row * count) / 8 + (item >> 3)] >> (item & 7)) & 1) found[item * width + (row >> 3)] |= 1 << (row & 7);
  return found;
}
