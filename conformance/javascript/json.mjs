// JSON as documents of archives need it: exact whole numbers, no repeated key, a bound on nesting; and its canonical text.

/** A document that cannot be used; `reason` is that of the node. */
export class Unreadable extends Error {
  constructor(reason, detail = "") {
    super(detail || reason);
    this.reason = reason;
  }
}

const malformed = (detail) => new Unreadable("metadata-malformed", detail);
const NUMBER = /-?(0|[1-9][0-9]*)([.][0-9]+)?([eE][-+]?[0-9]+)?/y;
const SPACE = /[ \t\n\r]*/y;
const PLAIN = /[^"\\\u0000-\u001f]*/y;
const SHORT = { '"': '"', "\\": "\\", "/": "/", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };
const LONE = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;

/** The text of bytes in UTF-8; throws where they are not, or begin with a byte-order mark. */
export function textOf(bytes) {
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) throw malformed("begins with a byte-order mark");
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw malformed("is not UTF-8");
  }
}

/** The value of a JSON text: whole numbers beyond 2^53 as BigInt, beyond 64 bits as doubles, objects without a prototype. Throws `Unreadable`. */
export function parse(text, depth = 32) {
  let at = 0;
  const fail = (what) => malformed(`${what} at character ${at}`);
  const match = (pattern) => {
    pattern.lastIndex = at;
    const [found] = pattern.exec(text) ?? [];
    at += found?.length ?? 0;
    return found;
  };
  const next = () => (match(SPACE), text[at]);
  const expect = (character) => {
    if (next() !== character) throw fail(`expected ${character}`);
    at += 1;
  };

  function string() {
    let value = "";
    for (at += 1; ; ) {
      value += match(PLAIN);
      if (text[at] === '"') break;
      if (text[at] !== "\\") throw fail("expected the end of a text");
      value += escape();
    }
    at += 1;
    if (LONE.test(value)) throw fail("found half a character");
    return value;
  }

  function escape() {
    const letter = text[at + 1];
    const digits = text.slice(at + 2, at + 6);
    if (letter === "u" && /^[0-9a-fA-F]{4}$/.test(digits)) return (at += 6), String.fromCharCode(parseInt(digits, 16));
    if (letter === undefined || !Object.hasOwn(SHORT, letter)) throw fail("expected an escape");
    return (at += 2), SHORT[letter];
  }

  function number() {
    const digits = match(NUMBER);
    if (!digits) throw fail("expected a value");
    const value = Number(digits);
    if (!Number.isFinite(value)) throw fail("found a number beyond every double");
    if (Number.isSafeInteger(value) || /[.eE]/.test(digits)) return value;
    return isLong(BigInt(digits)) ? BigInt(digits) : value;
  }

  function object(level) {
    const value = Object.create(null);
    at += 1;
    if (next() === "}") return (at += 1), value;
    for (;;) {
      if (next() !== '"') throw fail("expected a name");
      const name = string();
      if (name in value) throw fail(`found the name ${name} twice`);
      expect(":");
      value[name] = any(level);
      if (next() !== ",") break;
      at += 1;
    }
    expect("}");
    return value;
  }

  function list(level) {
    const value = [];
    at += 1;
    if (next() === "]") return (at += 1), value;
    for (;;) {
      value.push(any(level));
      if (next() !== ",") break;
      at += 1;
    }
    expect("]");
    return value;
  }

  function any(level) {
    const first = next();
    if (first === '"') return string();
    if (first === "{" || first === "[") {
      if (level === 0) throw new Unreadable("over-limit", `more than ${depth} lists and objects within one another`);
      return first === "{" ? object(level - 1) : list(level - 1);
    }
    for (const [word, value] of [["true", true], ["false", false], ["null", null]])
      if (text.startsWith(word, at)) return (at += word.length), value;
    return number();
  }

  const value = any(depth);
  if (next() !== undefined) throw fail("expected the end");
  return value;
}

/** The object of a document in UTF-8; throws `Unreadable` where it is none, or longer than `limit` bytes. */
export function documentOf(bytes, { limit = Infinity, depth = 32 } = {}) {
  if (bytes.length > limit) throw new Unreadable("over-limit", `more than ${limit} bytes`);
  const value = parse(textOf(bytes), depth);
  if (!isObject(value)) throw malformed("expected an object");
  return value;
}

export const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
export const isText = (value) => typeof value === "string";
/** Whether a value is a whole number, 0 or more. */
export const isWhole = (value) => typeof value === "bigint" ? value >= 0n : Number.isInteger(value) && value >= 0;

/** The canonical text of a JSON value: keys sorted by UTF-16, whole numbers from -2^63 to 2^64 - 1 with all digits. */
export function canonical(value) {
  if (typeof value === "bigint") return isLong(value) ? String(value) : JSON.stringify(Number(value));
  if (typeof value === "number") return Number.isInteger(value) && isLong(BigInt(value)) ? String(BigInt(value)) : JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (!isObject(value)) return JSON.stringify(value);
  return `{${Object.keys(value).sort().map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`).join(",")}}`;
}

export const isLong = (value) => value >= -(2n ** 63n) && value < 2n ** 64n;

/** A copy of a JSON value in which long whole numbers are doubles, as rules read them. */
export function rounded(value) {
  if (typeof value === "bigint") return Number(value);
  if (Array.isArray(value)) return value.map(rounded);
  if (!isObject(value)) return value;
  const copy = Object.create(null);
  for (const key of Object.keys(value)) copy[key] = rounded(value[key]);
  return copy;
}
