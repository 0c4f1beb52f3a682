// Fields that both versions of Zarr have: shape, chunks, fill value.

import { COMPLEX, FLOAT8, FLOATS, isInteger, SIZES } from "./dtypes.mjs";
import { isText, isWhole, Unreadable } from "./json.mjs";

const invalid = (detail) => new Unreadable("metadata-invalid", detail);
const RANK = 64;
const CHUNKS = 10_000_000;
const LONG = 2n ** 63n;

/** The shape of an array, within 64 dimensions. */
export function shapeOf(value) {
  if (!Array.isArray(value) || !value.every(isWhole)) throw invalid("shape is not a list of whole numbers");
  if (value.length > RANK) throw new Unreadable("over-limit", `more than ${RANK} dimensions`);
  if (value.some((size) => BigInt(size) >= LONG)) throw invalid("shape");
  return value.map(Number);
}

/** The lengths of a chunk of an array of `shape`; entries and bytes of both are below 2^63, chunks within the limit. */
export function lengthsOf(value, shape, size) {
  if (!Array.isArray(value) || value.length !== shape.length || !value.every((each) => isWhole(each) && each > 0)) throw invalid("the shape of chunks");
  for (const lengths of [value, shape])
    if (lengths.reduce((all, each) => all * BigInt(each), BigInt(size)) >= LONG) throw invalid("more bytes than 2^63");
  const count = shape.reduce((all, each, axis) => all * BigInt(Math.ceil(each / Number(value[axis]))), 1n);
  if (count > CHUNKS) throw new Unreadable("over-limit", `more than ${CHUNKS} chunks`);
  return value.map(Number);
}

const WORDS = { NaN, Infinity, "-Infinity": -Infinity };
const NUMBER = /^[-+]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][-+]?[0-9]+)?$/;

/** The bytes of an item that stands for what was never written; null where a type is not of the standard, or there is none. */
export function fillOf(value, { dtype, size }, version) {
  if (!Object.hasOwn(SIZES, dtype) || value === null) return null;
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  if (dtype === "bool") {
    if (typeof value !== "boolean" && value !== 0 && value !== 1) throw invalid("fill_value of bool");
    bytes[0] = Number(value);
  } else if (COMPLEX.has(dtype)) {
    const parts = Array.isArray(value) ? value : [value, 0];
    if (parts.length !== 2 || (version === 3 && !Array.isArray(value))) throw invalid("fill_value of complex numbers");
    parts.forEach((part, at) => bytes.set(fillOf(part, { dtype: `float${size * 4}`, size: size / 2 }, version), (at * size) / 2));
  } else if (isInteger(dtype)) setInteger(view, value, dtype, size, version);
  else setFloat(view, value, dtype, size, version);
  return bytes;
}

function setInteger(view, given, dtype, size, version) {
  const value = version === 2 && isText(given) && /^[-+]?[0-9]+$/.test(given) ? BigInt(given) : given;
  if (typeof value !== "bigint" && !Number.isInteger(value)) throw invalid("fill_value of integers");
  const bits = BigInt(dtype.endsWith("int4") ? 4 : size * 8);
  const [least, most] = dtype.startsWith("u") ? [0n, 1n << bits] : [-(1n << (bits - 1n)), 1n << (bits - 1n)];
  const whole = BigInt(value);
  if (whole < least || whole >= most) throw invalid("fill_value beyond its type");
  const unsigned = BigInt.asUintN(Number(bits), whole);
  for (let at = 0; at < size; at += 1) view.setUint8(at, Number((unsigned >> BigInt(8 * at)) & 255n));
}

function setFloat(view, given, dtype, size, version) {
  if (version === 3 && isText(given) && given.startsWith("0x")) {
    if (!new RegExp(`^0x[0-9a-fA-F]{${2 * size}}$`).test(given)) throw invalid("fill_value by bits");
    for (let at = 0; at < size; at += 1) view.setUint8(at, parseInt(given.slice(-2 * at - 2, given.length - 2 * at), 16));
    return;
  }
  const value = isText(given) ? (Object.hasOwn(WORDS, given) ? WORDS[given] : version === 2 && NUMBER.test(given) ? Number(given) : undefined) : Number(given);
  if (value === undefined || (typeof given !== "number" && typeof given !== "bigint" && !isText(given))) throw invalid("fill_value of floats");
  if (dtype === "float64") view.setFloat64(0, value, true);
  else if (dtype === "float32") view.setFloat32(0, value, true);
  else setSmall(view, value, dtype);
}

/** Exponent bits, fraction bits, bias and bits of NaN of small floats. */
const SMALL = {
  float16: [5, 10, 15, 0x7e00], bfloat16: [8, 7, 127, 0x7fc0], float8_e4m3fn: [4, 3, 7, 0x7f], float8_e5m2: [5, 2, 15, 0x7e],
  float8_e4m3fnuz: [4, 3, 8, 0x80], float8_e5m2fnuz: [5, 2, 16, 0x80],
};

function setSmall(view, value, dtype) {
  const [exponents, fractions, bias, nan] = SMALL[dtype];
  const size = exponents + fractions > 8 ? 2 : 1;
  const set = (bits) => (size === 2 ? view.setUint16(0, bits, true) : view.setUint8(0, bits));
  if (Number.isNaN(value)) return set(nan);
  const ieee = FLOATS.has(dtype) || dtype === "float8_e5m2";
  const sign = (value < 0 || Object.is(value, -0)) && (value !== 0 || !dtype.endsWith("fnuz")) ? 1 << (exponents + fractions) : 0;
  const largest = ieee ? ((1 << exponents) - 1) << fractions : (1 << (exponents + fractions)) - (FLOAT8.has(dtype) && dtype === "float8_e4m3fn" ? 2 : 1);
  let bits = 0;
  const size0 = Math.abs(value);
  if (size0 === Infinity) bits = ieee ? largest : nan;
  else if (size0) {
    const exponent = Math.max(Math.floor(Math.log2(size0)), 1 - bias);
    const scaled = size0 / 2 ** (exponent - fractions);
    const floor = Math.floor(scaled);
    const rest = scaled - floor;
    const steps = floor + (rest > 0.5 || (rest === 0.5 && floor % 2) ? 1 : 0);
    bits = Math.min(steps + ((exponent + bias - 1) << fractions), ieee ? largest : nan & ((1 << (exponents + fractions)) - 1) || largest);
  }
  set(bits | sign);
}
