// Codecs of Zarr version 2 by their id, as numcodecs defines them: each makes, from its configuration, a codec of a chain.

import { blosc, unshuffled } from "./blosc.mjs";
import { adler32, crc32, crc32c, fletcher32 } from "./checksums.mjs";
import { bzip2, gzip, lz4, lzma, zlib, zstd } from "./compressors.mjs";
import { Damaged, mismatch, sized } from "./damage.mjs";
import { doublesOf, SIZES, swap, viewOf } from "./dtypes.mjs";
import { isText, isWhole, Unreadable } from "./json.mjs";
import { typeOf } from "./numpy.mjs";

const packer = (decode) => (settings) => ({ grows: () => null, decode: (bytes, size) => decode(bytes, size, settings) });

/** Four bytes of a checksum, before the content or behind it. */
const summed = (sum, atStart) => ({ location = atStart ? "start" : "end" }) => ({
  grows: (size) => size + 4,
  decode(bytes, size) {
    if (bytes.length < 4) throw new Damaged("truncated");
    const [content, at] = location === "start" ? [bytes.subarray(4), 0] : [bytes.subarray(0, -4), bytes.length - 4];
    if (sum(content) !== new DataView(bytes.buffer, bytes.byteOffset + at).getUint32(0, true)) mismatch();
    return sized(content, size);
  },
});

function numberType(text, what) {
  const type = isText(text) ? typeOf(text) : null;
  if (!type || !Object.hasOwn(SIZES, type.dtype)) throw new Unreadable("metadata-invalid", `${what} of a filter`);
  return type;
}

/** Entries of `from` as entries of `to`, each number changed by `change`. */
function cast(bytes, from, to, change) {
  const source = viewOf(from.big ? swap(bytes.slice(), from.size) : bytes, from.dtype);
  const found = new Uint8Array(source.length * to.size);
  const target = viewOf(found, to.dtype);
  const long = (view) => view instanceof BigInt64Array || view instanceof BigUint64Array;
  if (to.dtype === "float16") throw new Unreadable("unsupported", "a filter that makes float16");
  const values = change || !long(source) || !long(target) ? doublesOf(viewBytes(source), from.dtype) : source;
  for (let at = 0; at < source.length; at += 1) {
    const value = change ? change(Number(values[at])) : values[at];
    target[at] = long(target) ? BigInt(typeof value === "bigint" ? value : Math.trunc(value)) : Number(value);
  }
  return to.big ? swap(found, to.size) : found;
}

const viewBytes = (view) => new Uint8Array(view.buffer, view.byteOffset, view.byteLength);

/** Codecs that make entries of one type of those of another one. */
const typed = (make) => (settings) => {
  const { to, from, change } = make(settings);
  return { grows: (size) => (size / to.size) * from.size, decode: (bytes, size) => sized(cast(sized(bytes, size === null ? null : (size / to.size) * from.size), from, to, change), size) };
};

function delta({ dtype, astype }) {
  const [to, from] = [numberType(dtype, "dtype"), numberType(astype ?? dtype, "astype")];
  return {
    grows: (size) => (size / to.size) * from.size,
    decode(bytes, size) {
      const found = cast(bytes, from, { ...to, big: false });
      const view = viewOf(found, to.dtype);
      if (to.dtype === "bool") for (let at = 1; at < view.length; at += 1) view[at] ^= view[at - 1];
      else for (let at = 1; at < view.length; at += 1) view[at] += view[at - 1];
      return sized(to.big ? swap(found, to.size) : found, size);
    },
  };
}

const packbits = () => ({
  grows: (size) => 1 + Math.ceil(size / 8),
  decode(bytes, size) {
    const count = (bytes.length - 1) * 8 - bytes[0];
    if (!bytes.length || bytes[0] > 7 || count < 0) throw new Damaged("undecodable", "bits of booleans");
    return sized(Uint8Array.from({ length: count }, (_, at) => (bytes[1 + (at >> 3)] >> (7 - (at & 7))) & 1), size);
  },
});

const shuffle = ({ elementsize = 4 }) => ({ grows: (size) => size, decode: (bytes) => (elementsize > 1 ? unshuffled(bytes, elementsize) : bytes) });

const scaled = typed(({ scale, offset, dtype, astype }) => {
  if (typeof scale !== "number" || typeof offset !== "number") throw new Unreadable("metadata-invalid", "scale of a filter");
  const to = numberType(dtype, "dtype");
  return { to, from: numberType(astype ?? dtype, "astype"), change: (value) => value / scale + offset };
});
const quantized = typed(({ dtype, astype }) => ({ to: numberType(dtype, "dtype"), from: numberType(astype ?? dtype, "astype") }));
const converted = typed(({ encode_dtype, decode_dtype }) => ({ to: numberType(decode_dtype, "decode_dtype"), from: numberType(encode_dtype, "encode_dtype") }));

const CODECS = {
  blosc: packer(blosc), zstd: packer(zstd), gzip: packer(gzip), zlib: packer(zlib), bz2: packer(bzip2), lzma: packer(lzma), lz4: packer(lz4),
  shuffle, delta, packbits, fixedscaleoffset: scaled, quantize: quantized, astype: converted,
  crc32: summed(crc32, true), crc32c: summed(crc32c, false), adler32: summed(adler32, true), fletcher32: summed(fletcher32, false),
};

const isNumber = (value) => typeof value === "number" || typeof value === "bigint";
const maybe = (check) => (value) => value === null || check(value);
const level = (least, most) => ({ level: (value) => Number.isInteger(value) && value >= least && value <= most });
const types = { dtype: isText, astype: maybe(isText) };
const place = { location: (value) => value === "start" || value === "end" };
/** What the configuration of each codec may hold. */
const SETTINGS = {
  blosc: { cname: isText, clevel: isWhole, shuffle: (value) => [-1, 0, 1, 2].includes(value), blocksize: isWhole, typesize: maybe(isWhole) },
  zstd: { ...level(-131072, 22), checksum: (value) => typeof value === "boolean" }, gzip: level(0, 9), zlib: level(-1, 9), bz2: level(1, 9),
  lzma: { format: isNumber, check: isNumber, preset: maybe(isNumber), filters: maybe(Array.isArray) }, lz4: { acceleration: isNumber },
  shuffle: { elementsize: isWhole }, delta: types, packbits: {}, fixedscaleoffset: { ...types, scale: isNumber, offset: isNumber },
  quantize: { ...types, digits: isNumber }, astype: { encode_dtype: isText, decode_dtype: isText }, crc32: place, crc32c: place, adler32: place, fletcher32: {},
};

/** The codec of a configuration of version 2; null where its id is unknown. Throws `Unreadable`. */
export function codecOf({ id, ...configuration }) {
  if (!Object.hasOwn(CODECS, id)) return null;
  for (const [name, value] of Object.entries(configuration)) {
    if (!Object.hasOwn(SETTINGS[id], name)) throw new Unreadable("unsupported", `${name} of ${id}`);
    if (!SETTINGS[id][name](value)) throw new Unreadable("metadata-invalid", `${name} of ${id}`);
  }
  return { name: id, ...CODECS[id](configuration) };
}
