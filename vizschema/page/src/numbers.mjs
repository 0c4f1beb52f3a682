// Little-endian bytes of an array as doubles, by its dtype; of complex numbers the absolute value.

const half = (bits, exponents, fractions, bias, { infinite = true } = {}) => {
  const sign = bits >> (exponents + fractions) ? -1 : 1;
  const exponent = (bits >> fractions) & ((1 << exponents) - 1);
  const fraction = bits & ((1 << fractions) - 1);
  if (infinite && exponent === (1 << exponents) - 1) return fraction ? NaN : sign * Infinity;
  if (!exponent) return sign * fraction * 2 ** (1 - bias - fractions);
  return sign * (1 + fraction / 2 ** fractions) * 2 ** (exponent - bias);
};

const WORD = new DataView(new ArrayBuffer(4));
const READERS = {
  bool: [1, (view, at) => +(view.getUint8(at) !== 0)],
  int8: [1, (view, at) => view.getInt8(at)],
  uint8: [1, (view, at) => view.getUint8(at)],
  int16: [2, (view, at) => view.getInt16(at, true)],
  uint16: [2, (view, at) => view.getUint16(at, true)],
  int32: [4, (view, at) => view.getInt32(at, true)],
  uint32: [4, (view, at) => view.getUint32(at, true)],
  int64: [8, (view, at) => Number(view.getBigInt64(at, true))],
  uint64: [8, (view, at) => Number(view.getBigUint64(at, true))],
  float16: [2, (view, at) => half(view.getUint16(at, true), 5, 10, 15)],
  bfloat16: [2, (view, at) => (WORD.setUint32(0, view.getUint16(at, true) << 16), WORD.getFloat32(0))],
  float32: [4, (view, at) => view.getFloat32(at, true)],
  float64: [8, (view, at) => view.getFloat64(at, true)],
  complex64: [8, (view, at) => Math.hypot(view.getFloat32(at, true), view.getFloat32(at + 4, true))],
  complex128: [16, (view, at) => Math.hypot(view.getFloat64(at, true), view.getFloat64(at + 8, true))],
  float8_e5m2: [1, (view, at) => half(view.getUint8(at), 5, 2, 15)],
  float8_e4m3fn: [1, (view, at) => ((view.getUint8(at) & 0x7f) === 0x7f ? NaN : half(view.getUint8(at), 4, 3, 7, { infinite: false }))],
  float8_e5m2fnuz: [1, (view, at) => (view.getUint8(at) === 0x80 ? NaN : half(view.getUint8(at), 5, 2, 16, { infinite: false }))],
  float8_e4m3fnuz: [1, (view, at) => (view.getUint8(at) === 0x80 ? NaN : half(view.getUint8(at), 4, 3, 8, { infinite: false }))],
  int4: [1, (view, at) => ((view.getUint8(at) & 15) ^ 8) - 8],
  uint4: [1, (view, at) => view.getUint8(at) & 15],
};

/** Whether values of a dtype are numbers here. */
export const isNumber = (dtype) => Object.hasOwn(READERS, dtype);

/** The values as a Float64Array. */
export function numbersOf(bytes, dtype) {
  const [size, read] = READERS[dtype];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const numbers = new Float64Array(Math.floor(bytes.byteLength / size));
  for (let at = 0; at < numbers.length; at++) numbers[at] = read(view, at * size);
  return numbers;
}
