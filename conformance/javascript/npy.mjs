// The header of a `.npy` file: a literal of Python, of which nothing is evaluated.

import { SIZES } from "./dtypes.mjs";
import { isText, Unreadable } from "./json.mjs";
import { typeOf } from "./numpy.mjs";
import { shapeOf } from "./zarr_fields.mjs";

const MAGIC = "\u0093NUMPY";
const HEADER = 64 << 10;
const CHARACTERS = 10_000;
const LEVELS = 16;
const FIELDS = ["descr", "fortran_order", "shape"];
export const HEAD = HEADER + 12;

const malformed = (detail) => new Unreadable("metadata-malformed", detail);
const invalid = (detail) => new Unreadable("metadata-invalid", detail);

/** The header of a member by its first bytes, and its size: {type, shape, order, start}. Throws `Unreadable`. */
export function headerOf(head, size) {
  if (new TextDecoder("latin1").decode(head.subarray(0, 6)) !== new TextDecoder("latin1").decode(Uint8Array.from(MAGIC, (c) => c.charCodeAt(0)))) throw malformed("no .npy file");
  const [major, minor] = head.subarray(6, 8);
  if (![1, 2, 3].includes(major) || minor !== 0) throw new Unreadable("unsupported", `version ${major}.${minor} of .npy`);
  const view = new DataView(head.buffer, head.byteOffset, head.length);
  const begin = major === 1 ? 10 : 12;
  if (head.length < begin) throw malformed("ends within its header");
  const length = major === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (length > HEADER) throw new Unreadable("over-limit", `a header of ${length} bytes`);
  const start = begin + length;
  if (start > size) throw malformed("ends within its header");
  const fields = literal(textOf(head.subarray(begin, start), major));
  return { ...arrayOf(fields, size - start), start };
}

function textOf(bytes, major) {
  let text;
  try {
    text = major === 3 ? new TextDecoder("utf-8", { fatal: true }).decode(bytes) : String.fromCharCode(...bytes.subarray(0, CHARACTERS + 1));
  } catch {
    throw malformed("the header is not UTF-8");
  }
  return text;
}

function arrayOf(fields, bytes) {
  if (!(fields instanceof Map)) throw malformed("the header is not a dictionary");
  if (fields.size !== 3 || FIELDS.some((name) => !fields.has(name))) throw invalid("other fields than descr, fortran_order, shape");
  const [descr, fortran, given] = FIELDS.map((name) => fields.get(name));
  if (typeof fortran !== "boolean") throw invalid("fortran_order");
  if (!(given instanceof Tuple)) throw invalid("shape");
  const shape = shapeOf([...given]);
  const type = isText(descr) ? named(descr) : record(descr);
  if (shape.reduce((all, size) => all * BigInt(size || 1), BigInt(type.size)) >= 2n ** 63n) throw invalid("more bytes than 2^63");
  if (type.dtype !== "object" && shape.reduce((all, size) => all * size, type.size) !== bytes) throw invalid(`${bytes} bytes of values`);
  return { type, shape, order: fortran ? "F" : "C" };
}

const named = (text) => (Object.hasOwn(SIZES, text) && !/^(bfloat|float8|u?int4)/.test(text) ? { dtype: text, size: SIZES[text], big: false } : typeOf(text));

function record(fields) {
  if (!Array.isArray(fields) || fields instanceof Tuple || !fields.length) throw invalid("descr");
  let size = 0;
  let objects = false;
  for (const field of fields) {
    if (!(field instanceof Tuple) || field.length < 2) throw invalid("descr");
    const { dtype, size: each } = isText(field[1]) ? typeOf(field[1]) : record(field[1]);
    const times = field[2] instanceof Tuple ? field[2].reduce((all, length) => all * Number(length), 1) : 1;
    objects ||= dtype === "object";
    size += each * times;
  }
  return { dtype: objects ? "object" : "compound", size, big: false };
}

class Tuple extends Array {}

/** A dictionary, tuple, list, text, whole number, boolean or None in Python's words. */
function literal(text) {
  if (text.length > CHARACTERS && !/^\s*[[({]{17}/.test(text)) throw malformed("a header longer than NumPy reads");
  let at = 0;
  const space = () => {
    while (" \t\n\r\f".includes(text[at] ?? "x")) at += 1;
    return text[at];
  };
  const take = (character) => {
    if (space() !== character) throw malformed(`expected ${character} at character ${at}`);
    at += 1;
  };

  function several(end, level, one) {
    at += 1;
    let commas = 0;
    while (space() !== end) {
      one(level + 1);
      if (space() !== ",") break;
      commas += 1;
      at += 1;
    }
    take(end);
    return commas;
  }

  function any(level) {
    if (level > LEVELS) throw new Unreadable("over-limit", "a header nested too deep");
    const first = space();
    if (first === "{") {
      const found = new Map();
      several("}", level, (inner) => {
        const key = any(inner);
        take(":");
        if (!isText(key) || found.has(key)) throw malformed("a key that is not a text, or is there twice");
        found.set(key, any(inner));
      });
      return found;
    }
    if (first === "(" || first === "[") {
      const found = first === "(" ? new Tuple() : [];
      const commas = several(first === "(" ? ")" : "]", level, (inner) => found.push(any(inner)));
      return first === "(" && found.length === 1 && !commas ? found[0] : found;
    }
    const rest = text.slice(at, at + 300);
    const [word, quoted, doubled] = /^(?:'([^'\\\n]*)'|"([^"\\\n]*)"|True|False|None|[-+]?(?:0|[1-9][0-9]{0,30})(?![0-9.eExXjJ_*]))/.exec(rest) ?? [];
    if (word === undefined) throw malformed(`no literal at character ${at}`);
    at += word.length;
    if (quoted !== undefined || doubled !== undefined) return quoted ?? doubled;
    if (word === "True" || word === "False") return word === "True";
    return word === "None" ? null : BigInt(word);
  }

  const value = any(0);
  if (space() !== undefined) throw malformed("more than one value in the header");
  return value;
}
