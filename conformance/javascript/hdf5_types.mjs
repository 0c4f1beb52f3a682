// Data types, spaces and attribute values of HDF5.

import { Damaged } from "./damage.mjs";
import { doublesOf, SIZES, swap, viewOf } from "./dtypes.mjs";
import { UNDEFINED, widthOf } from "./hdf5_bytes.mjs";
import { globalOf } from "./hdf5_heap.mjs";

const DEPTH = 64;
const FLOATS = {
  "2 10 5 0 10 15": "float16", "4 23 8 0 23 127": "float32", "8 52 11 0 52 1023": "float64", "2 7 8 0 7 127": "bfloat16",
  "1 3 4 0 3 7": "float8_e4m3fn", "1 2 5 0 2 15": "float8_e5m2",
};
const NAMES = { 2: "time", 4: "bitfield", 5: "opaque", 7: "reference", 10: "array" };

/** The data type at a cursor: {dtype, size, big, …}. Throws `Damaged`. */
export function typeAt(cursor, depth = 0) {
  if (depth > DEPTH) return { dtype: "compound", size: 1, deep: true };
  const first = cursor.number(1);
  const [kind, version] = [first & 15, first >> 4];
  const bits = cursor.number(1) | (cursor.number(2) << 8);
  const size = cursor.number(4);
  if (!size || version > 5) throw new Damaged("undecodable", "no data type");
  const base = { size, big: (bits & 1) === 1, kind };
  if (kind === 0) return { ...base, ...integerAt(cursor, bits, size) };
  if (kind === 1) return { ...base, ...floatAt(cursor, bits, size) };
  if (kind === 3) return { ...base, dtype: "string", padding: bits & 15, fixed: true };
  if (kind === 4) return cursor.skip(4), { ...base, dtype: "bitfield" };
  if (kind === 6) return compoundAt(cursor, { ...base, version, members: bits & 0xffff }, depth);
  if (kind === 8) return enumAt(cursor, { ...base, version, members: bits & 0xffff }, depth);
  if (kind === 9) {
    const inner = typeAt(cursor, depth + 1);
    return { ...base, dtype: (bits & 15) === 1 ? "string" : "vlen", vlen: true, inner };
  }
  if (kind === 7) return { ...base, dtype: "reference", object: (bits & 15) === 0 };
  if (kind === 11) {
    const inner = typeAt(cursor, depth + 1);
    return { ...base, big: inner.big, dtype: { float32: "complex64", float64: "complex128" }[inner.dtype] ?? "complex" };
  }
  return { ...base, dtype: NAMES[kind] ?? `class ${kind}` };
}

function integerAt(cursor, bits, size) {
  const [offset, precision] = [cursor.number(2), cursor.number(2)];
  const plain = offset === 0 && precision === 8 * size && [1, 2, 4, 8].includes(size) && !(bits & 6);
  return { dtype: plain ? `${bits & 8 ? "" : "u"}int${8 * size}` : `integer of ${precision} bits`, precision, offset, signed: (bits & 8) !== 0 };
}

function floatAt(cursor, bits, size) {
  const [offset, precision] = [cursor.number(2), cursor.number(2)];
  const layout = Array.from({ length: 4 }, () => cursor.number(1));
  const bias = cursor.number(4);
  const found = FLOATS[`${size} ${layout.join(" ")} ${bias}`];
  const plain = found && offset === 0 && precision === 8 * size && (bits >> 8) === 8 * size - 1 && ((bits >> 4) & 3) === 2 && !(bits & 0x4e);
  return { dtype: plain ? found : `float of ${precision} bits` };
}

/** A name that ends with a zero, padded to eight bytes before version 3. */
function nameAt(cursor, padded) {
  const start = cursor.at;
  while (cursor.number(1));
  const name = new TextDecoder("latin1").decode(cursor.file.bytes.subarray(start, cursor.at - 1));
  if (padded) cursor.skip((8 - ((cursor.at - start) % 8)) % 8);
  return name;
}

function compoundAt(cursor, { size, version, members, kind }, depth) {
  const found = [];
  for (let each = 0; each < members; each += 1) {
    const name = nameAt(cursor, version < 3);
    const offset = cursor.number(version < 3 ? 4 : widthOf(size));
    if (version === 1) cursor.skip(28);
    const type = typeAt(cursor, depth + 1);
    if (type.deep) return { ...type, size };
    found.push({ name, offset, type });
  }
  const [one, other] = found;
  const complex = found.length === 2 && one.name === "r" && other.name === "i" && one.type.dtype === other.type.dtype && one.type.big === other.type.big && one.offset === 0 && other.offset === size / 2;
  const dtype = complex ? { float32: "complex64", float64: "complex128" }[one.type.dtype] : undefined;
  return { kind, size, dtype: dtype ?? "compound", big: one?.type.big ?? false };
}

function enumAt(cursor, { size, version, members, kind }, depth) {
  const base = typeAt(cursor, depth + 1);
  const names = Array.from({ length: members }, () => nameAt(cursor, version < 3));
  const values = Array.from({ length: members }, () => cursor.bytes(size)[0]);
  const isBool = size === 1 && members === 2 && names[values.indexOf(0)] === "FALSE" && names[values.indexOf(1)] === "TRUE";
  return { kind, size, big: base.big, dtype: isBool ? "bool" : "enum" };
}

/** The shape at a cursor; null of a space that holds no value. */
export function spaceAt(cursor) {
  const version = cursor.number(1);
  const rank = cursor.number(1);
  cursor.number(1);
  const kind = version === 2 ? cursor.number(1) : 1;
  if (version === 1) cursor.skip(5);
  else if (version !== 2) throw new Damaged("undecodable", "a space of another version");
  if (kind === 2) return null;
  return Array.from({ length: rank }, () => {
    const size = cursor.length();
    return size === UNDEFINED ? 2 ** 64 : size;
  });
}

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Bytes as text; those that are no UTF-8 become halves of characters. */
export function textOf(bytes) {
  try {
    return UTF8.decode(bytes);
  } catch {
    return Array.from(bytes, (byte) => String.fromCharCode(byte < 128 ? byte : 0xdc00 + byte)).join("");
  }
}

/** A text of fixed length without its padding: zeros, or spaces. */
function fixedText(bytes, padding) {
  const filler = padding === 2 ? 32 : 0;
  let end = bytes.length;
  while (end && bytes[end - 1] === filler) end -= 1;
  return textOf(bytes.subarray(0, end));
}

/** The items of an attribute as JSON values; null where its type has none. */
export function itemsOf(cursor, type, count) {
  if (type.vlen && type.dtype === "string") return Array.from({ length: count }, () => {
    const length = cursor.number(4);
    const found = globalOf(cursor.file, cursor.address(), cursor.number(4));
    return found === null ? "" : textOf(found.subarray(0, length));
  });
  if (type.fixed) return Array.from({ length: count }, () => fixedText(cursor.bytes(type.size), type.padding));
  if (!Object.hasOwn(SIZES, type.dtype) || type.dtype.startsWith("complex")) return null;
  const stored = cursor.bytes(type.size * count).slice();
  const bytes = type.big ? swap(stored, type.size) : stored;
  if (type.dtype === "bool") return Array.from(bytes, (byte) => byte !== 0);
  const view = type.dtype.endsWith("int64") ? viewOf(bytes, type.dtype) : doublesOf(bytes, type.dtype);
  return Array.from(view, (value) => (typeof value === "bigint" && BigInt(Number(value)) === value && Number.isSafeInteger(Number(value)) ? Number(value) : value));
}
