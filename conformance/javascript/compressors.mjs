// Compressed bytes, decoded into as many as are expected (null: any number, within `MOST`). Throws `Damaged`.

import { inflateSync } from "fflate";
import { decompress, Decompress } from "fzstd";
import { bzip2 as unpackBzip2 } from "./bzip2.mjs";
import { adler32, crc32, xxh64 } from "./checksums.mjs";
import { claimed, Damaged, decoded, mismatch, MOST, sized, undecodable } from "./damage.mjs";
import { lzma as unpackLzma } from "./lzma.mjs";

const viewOf = (bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
const ended = () => new Damaged("truncated", "the stream ends early");

/** Deflated bytes without header and checksum. */
export function inflate(bytes, size) {
  const found = decoded(() => inflateSync(bytes, size === null ? {} : { out: new Uint8Array(size + 1) }));
  return sized(found, size);
}

/** A stream of zlib (RFC 1950). */
export function zlib(bytes, size) {
  if (bytes.length < 6) throw ended();
  if ((bytes[0] & 15) !== 8 || ((bytes[0] << 8) | bytes[1]) % 31 || bytes[1] & 32) throw undecodable("no zlib stream");
  const found = inflate(bytes.subarray(2, -4), size);
  if (adler32(found) !== viewOf(bytes).getUint32(bytes.length - 4)) mismatch();
  return found;
}

/** A member of gzip (RFC 1952). */
export function gzip(bytes, size) {
  if (bytes.length < 18) throw ended();
  if (bytes[0] !== 31 || bytes[1] !== 139 || bytes[2] !== 8) throw undecodable("no gzip member");
  const view = viewOf(bytes);
  claimed(view.getUint32(bytes.length - 4, true), size);
  let at = 10;
  if (bytes[3] & 4) at += 2 + view.getUint16(at, true);
  for (const flag of [8, 16]) if (bytes[3] & flag) at = bytes.indexOf(0, at) + 1;
  if (bytes[3] & 2) at += 2;
  const found = inflate(bytes.subarray(at, -8), size);
  if (crc32(found) !== view.getUint32(bytes.length - 8, true)) mismatch();
  return found;
}

export const bzip2 = (bytes, size) => sized(decoded(() => unpackBzip2(bytes, size ?? MOST)), size);

export const lzma = (bytes, size, settings) => sized(decoded(() => unpackLzma(bytes, size ?? MOST, settings)), size);

/** Frames of Zstandard (RFC 8878), with their checksums. */
export function zstd(bytes, size) {
  const parts = [];
  let total = 0;
  for (let at = 0; at < bytes.length; ) {
    const { end, content, checksum } = frameAt(bytes, at);
    if (content !== undefined) {
      if (total + content > (size ?? MOST)) throw new Damaged("wrong-length", `claims ${total + content} bytes, expected ${size}`);
      const frame = bytes.subarray(at, end);
      const part = decoded(() => (content === null ? streamed(frame, (size ?? MOST) - total) : decompress(frame)));
      if (content !== null && part.length !== content) throw new Damaged("wrong-length");
      if (checksum !== undefined && Number(xxh64(part) & 0xffffffffn) !== checksum) mismatch();
      parts.push(part);
      total += part.length;
    }
    at = end;
  }
  if (!parts.length && bytes.length < 9) throw ended();
  return sized(parts.length === 1 ? parts[0] : joined(parts, total), size);
}

function joined(parts, total) {
  const whole = new Uint8Array(total);
  let at = 0;
  for (const part of parts) (whole.set(part, at), (at += part.length));
  return whole;
}

/** A frame that does not say its size, decoded up to a limit. */
function streamed(frame, limit) {
  const parts = [];
  let total = 0;
  const stream = new Decompress((part) => {
    total += part.length;
    if (total > limit) throw new Damaged("wrong-length", `more than ${limit} bytes`);
    parts.push(part);
  });
  for (let at = 0; at < frame.length; at += 4096) stream.push(frame.subarray(at, at + 4096), at + 4096 >= frame.length);
  return joined(parts, total);
}

/** Where a frame ends, the size of its content (null: not said; undefined: none is there) and its checksum. */
function frameAt(bytes, start) {
  const view = viewOf(bytes);
  const need = (end) => {
    if (end > bytes.length) throw ended();
    return end;
  };
  need(start + 5);
  const magic = view.getUint32(start, true);
  if (magic >>> 4 === 0x184d2a5) return { end: need(need(start + 8) + view.getUint32(start + 4, true)) };
  if (magic !== 0xfd2fb528) throw undecodable("no Zstandard frame");
  const flags = bytes[start + 4];
  const single = (flags >> 5) & 1;
  let at = start + 5 + (single ? 0 : 1) + [0, 1, 2, 4][flags & 3];
  const width = [single, 2, 4, 8][flags >> 6];
  need(at + width);
  const content = width === 0 ? null : width === 1 ? bytes[at] : width === 2 ? view.getUint16(at, true) + 256
    : width === 4 ? view.getUint32(at, true) : Number(view.getBigUint64(at, true));
  for (at += width; ; ) {
    need(at + 3);
    const header = bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16);
    at = need(at + 3 + (((header >> 1) & 3) === 1 ? 1 : header >> 3));
    if (header & 1) break;
  }
  if (!(flags & 4)) return { end: at, content };
  return { end: need(at + 4), content, checksum: view.getUint32(at, true) };
}

/** One block of LZ4, of `size` bytes. */
export function lz4Block(bytes, size) {
  const found = new Uint8Array(size);
  let [at, to] = [0, 0];
  const lengthOf = (start) => {
    let length = start;
    if (start === 15) for (let more = 255; more === 255; length += more) more = bytes[at++] ?? 0;
    return length;
  };
  while (at < bytes.length) {
    const token = bytes[at++];
    const literals = lengthOf(token >> 4);
    if (at + literals > bytes.length || to + literals > size) throw undecodable("LZ4 literals beyond the block");
    found.set(bytes.subarray(at, at + literals), to);
    [at, to] = [at + literals, to + literals];
    if (at >= bytes.length) break;
    const distance = bytes[at] | (bytes[at + 1] << 8);
    at += 2;
    const length = lengthOf(token & 15) + 4;
    if (distance === 0 || distance > to || to + length > size) throw undecodable("LZ4 match beyond the block");
    for (const end = to + length; to < end; to += 1) found[to] = found[to - distance];
  }
  if (to !== size) throw new Damaged("truncated", `expected ${size} bytes, found ${to}`);
  return found;
}

/** LZ4 as numcodecs has it: the size, and one block. */
export function lz4(bytes, size) {
  if (bytes.length < 4) throw ended();
  const claim = viewOf(bytes).getUint32(0, true);
  claimed(claim, size);
  return lz4Block(bytes.subarray(4), claim);
}
