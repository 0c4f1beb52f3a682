// Names and attributes of an archive as a description has them: escaped, and only what JSON holds.

import { canonical, isLong, isObject } from "./json.mjs";

const UNSEEN = new RegExp(
  "[\\u0000-\\u001f\\u007f-\\u009f\\u00ad\\u061c\\u180e\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u206f\\ufeff\\ufff9-\\ufffb" +
    "\\ud800-\\udfff\\ufdd0-\\ufdef\\ufffe\\uffff\\u{e0000}-\\u{e0fff}]", "gu");
const DEPTH = 16;
const BYTES = 1 << 20;

/** A text in which what is not seen is escaped. */
export const escaped = (text) => text.replace(UNSEEN, (character) => {
  const digits = character.codePointAt(0).toString(16);
  return digits.length > 4 ? `\\U${digits.padStart(8, "0")}` : `\\u${digits.padStart(4, "0")}`;
});

/** A name, in which backslashes are doubled too. */
export const escapedName = (name) => (name === "" ? "\\empty" : escaped(name.replaceAll("\\", "\\\\")));

function escapedValue(value) {
  if (typeof value === "string") return escaped(value);
  if (Array.isArray(value)) return value.map(escapedValue);
  if (!isObject(value)) return value;
  const copy = Object.create(null);
  for (const key of Object.keys(value)) copy[escaped(key)] = escapedValue(value[key]);
  return copy;
}

/** Why a value is not an attribute of the standard; null where it is one. */
function notPortable(value) {
  const found = insideOf(value, 0);
  return found ?? (new TextEncoder().encode(canonical(value)).length > BYTES ? "more than 1 MiB" : null);
}

function insideOf(value, depth) {
  if (typeof value === "bigint") return isLong(value) ? null : "a whole number beyond 64 bits";
  if (typeof value === "number") {
    if (!Number.isFinite(value)) return "a number that is not finite";
    return null;
  }
  if (typeof value !== "object" || value === null) return null;
  if (depth === DEPTH) return "more than 16 lists and objects within one another";
  for (const each of Object.values(value)) {
    const found = insideOf(each, depth + 1);
    if (found) return found;
  }
  return null;
}

/** The fields `attributes`, `unsupported` and `escaped` of a node, from its raw attributes; `refused` are other ones, in words. */
export function attributesOf(raw, refused = {}) {
  const [attributes, unsupported, places] = [Object.create(null), Object.create(null), []];
  for (const key of Object.keys(raw)) {
    const name = escapedName(key);
    const why = notPortable(raw[key]);
    if (why) unsupported[name] = why;
    else attributes[name] = escapedValue(raw[key]);
    if (name !== key || (!why && canonical(attributes[name]) !== canonical(raw[key]))) places.push(`attributes/${name}`);
  }
  for (const [key, why] of Object.entries(refused)) unsupported[escapedName(key)] = why;
  return { attributes, ...(Object.keys(unsupported).length && { unsupported }), ...(places.length && { escaped: places }) };
}

/** The names of members that are not in normal form C, or that only case or normal form tell from another's. */
export function ambiguous(names) {
  const alike = new Map();
  for (const name of names) {
    const folded = name.normalize("NFD").toUpperCase().toLowerCase().normalize("NFC");
    if (!alike.has(folded)) alike.set(folded, []);
    alike.get(folded).push(name);
  }
  const found = [...alike.values()].flatMap((group) => group.filter((name) => group.length > 1 || name.normalize("NFC") !== name));
  return found.sort().slice(0, 16);
}
