// NumPy's names of data types: "<f4".

import { Unreadable } from "./json.mjs";

const KINDS = { b: "bool", i: "int", u: "uint", f: "float", c: "complex" };
const OTHERS = { S: "bytes", a: "bytes", U: "string", V: "opaque", M: "datetime", m: "timedelta", O: "object" };
const KNOWN = new Set(["b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16"]);

/** The type of a NumPy text: `{dtype, size, big}`; throws `Unreadable` where it is none. */
export function typeOf(text) {
  const [, order, kind, digits] = /^([<>|=])([biufcSaUVMmO])([0-9]*)(?:\[[0-9]*[A-Za-z]+(?:\/[0-9]+)?\])?$/.exec(text) ?? [];
  if (!kind || (!digits && kind !== "O") || order === "=" || (order === "|" && "biufcUMm".includes(kind) && digits !== "1")) throw new Unreadable("metadata-invalid", `no data type: ${text}`);
  const size = Number(digits || 8) * (kind === "U" ? 4 : 1);
  if (OTHERS[kind]) return { dtype: OTHERS[kind], size, big: order === ">" };
  if (KNOWN.has(kind + digits)) return { dtype: kind === "b" ? "bool" : KINDS[kind] + 8 * size, size, big: order === ">" };
  if (kind === "f" || kind === "c") return { dtype: KINDS[kind] + 8 * size, size, big: order === ">" };
  throw new Unreadable("metadata-invalid", `no data type: ${text}`);
}
