// The data types of the standard: their sizes, and their values as doubles, from bytes in C order, little-endian.

import { wrong } from "./wrong.mjs";

export const SIZES = {
  bool: 1, int8: 1, int16: 2, int32: 4, int64: 8, uint8: 1, uint16: 2, uint32: 4, uint64: 8, float16: 2, bfloat16: 2, float32: 4, float64: 8,
  complex64: 8, complex128: 16, float8_e4m3fn: 1, float8_e5m2: 1, float8_e4m3fnuz: 1, float8_e5m2fnuz: 1, int4: 1, uint4: 1,
};
export const FLOATS = new Set(["float16", "bfloat16", "float32", "float64"]);
export const FLOAT8 = new Set(["float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz"]);
export const COMPLEX = new Set(["complex64", "complex128"]);
export const isInteger = (dtype) => /^u?int[0-9]+$/.test(dtype);

/** The double of a small float: its exponent and fraction bits, bias, and what its largest values stand for. */
function small(bits, exponents, fractions, bias, special) {
  const exponent = (bits >> fractions) & ((1 << exponents) - 1);
  const fraction = bits & ((1 << fractions) - 1);
  const sign = bits >> (exponents + fractions) ? -1 : 1;
  const found = special(exponent, fraction, sign);
  if (found !== undefined) return found;
  return sign * (exponent ? 2 ** (exponent - bias) * (1 + fraction / 2 ** fractions) : 2 ** (1 - bias) * (fraction / 2 ** fractions));
}

const ieee = (top) => (exponent, fraction, sign) => (exponent === top ? (fraction ? NaN : sign * Infinity) : undefined);
const noZero = (exponent, fraction, sign) => (!exponent && !fraction && sign < 0 ? NaN : undefined);
const table = (bits, ...layout) => Float64Array.from({ length: 1 << bits }, (_, at) => small(at, ...layout));
const TABLES = {
  float16: () => table(16, 5, 10, 15, ieee(31)),
  float8_e5m2: () => table(8, 5, 2, 15, ieee(31)),
  float8_e4m3fn: () => table(8, 4, 3, 7, (exponent, fraction) => (exponent === 15 && fraction === 7 ? NaN : undefined)),
  float8_e4m3fnuz: () => table(8, 4, 3, 8, noZero),
  float8_e5m2fnuz: () => table(8, 5, 2, 16, noZero),
  int4: () => Float64Array.from({ length: 256 }, (_, at) => ((at & 15) ^ 8) - 8),
  uint4: () => Float64Array.from({ length: 256 }, (_, at) => at & 15),
  bool: () => Float64Array.from({ length: 256 }, (_, at) => (at ? 1 : 0)),
};
const made = {};

const VIEWS = {
  int8: Int8Array, int16: Int16Array, int32: Int32Array, int64: BigInt64Array, uint8: Uint8Array, uint16: Uint16Array, uint32: Uint32Array,
  uint64: BigUint64Array, float16: Uint16Array, bfloat16: Uint16Array, float32: Float32Array, float64: Float64Array,
  complex64: Float32Array, complex128: Float64Array,
};

/** Bytes as entries of their type, of small floats and booleans as their bits; complex numbers are two entries. */
export function viewOf(bytes, dtype) {
  const Type = VIEWS[dtype] ?? Uint8Array;
  const whole = bytes.byteOffset % Type.BYTES_PER_ELEMENT ? bytes.slice() : bytes;
  return new Type(whole.buffer, whole.byteOffset, Math.floor(bytes.byteLength / Type.BYTES_PER_ELEMENT));
}

/** The values of bytes as doubles; 64-bit integers are rounded. */
export function doublesOf(bytes, dtype) {
  const view = viewOf(bytes, dtype);
  if (view instanceof Float64Array || view instanceof Float32Array) return view;
  if (TABLES[dtype]) {
    const values = (made[dtype] ??= TABLES[dtype]());
    return Float64Array.from(view, (bits) => values[bits]);
  }
  if (dtype === "bfloat16") return new Float32Array(Uint32Array.from(view, (bits) => bits << 16).buffer);
  return dtype === "int64" || dtype === "uint64" ? Float64Array.from(view, Number) : view;
}

/** Reverses the bytes of each item, in place. */
export function swap(bytes, size) {
  if (wrong("byte-order")) return bytes;
  if (size < 2) return bytes;
  for (let start = 0; start + size <= bytes.length; start += size)
    for (let low = start, high = start + size - 1; low < high; low += 1, high -= 1) [bytes[low], bytes[high]] = [bytes[high], bytes[low]];
  return bytes;
}
