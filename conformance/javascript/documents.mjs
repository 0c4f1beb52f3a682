// The schemas of the specification, from the folder `spec`; the only module that reads files.

import { existsSync, readFileSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder of the specification. */
export const SPEC = fileURLToPath(new URL("../../spec/", import.meta.url));
const SEVERITIES = { must: "error", should: "warning" };

/** A JSON document below `spec`. */
export const read = (...names) => JSON.parse(readFileSync(join(SPEC, ...names), "utf8"));

/** The versions of the specification. */
export const versions = () => readdirSync(SPEC).filter((name) => /^[0-9]+[.][0-9]+[.][0-9]+$/.test(name));

/** Every schema of rules, by its URL. */
export function documents() {
  const found = readdirSync(SPEC, { recursive: true }).filter((path) => /(^|[/\\])(must|should)[.]schema[.]json$/.test(path));
  return Object.fromEntries(found.map((path) => read(path)).map((schema) => [schema.$id, schema]));
}

/** The profiles of a version: name → [URL of a schema, its severity], of both. */
export function profiles(version) {
  const names = readdirSync(join(SPEC, version)).filter((name) => existsSync(join(SPEC, version, name, "must.schema.json")));
  const levels = Object.entries(SEVERITIES);
  return Object.fromEntries(
    names.map((name) => [name, levels.map(([level, severity]) => [read(version, name, `${level}.schema.json`).$id, severity])]));
}

/** What is measured for each profile of a version: the entries of its `facts.json`, those of what it extends first. */
export function facts(version) {
  const of = (name) => {
    const { extends: others = [], facts: own = [] } = read(folderOf(name, version), "facts.json");
    return [...others.flatMap(of), ...own];
  };
  return Object.fromEntries(Object.keys(profiles(version)).map((name) => [name, of(name)]));
}

const folderOf = (name, version) =>
  [`${version}/${name}`, ...versions().map((each) => `${each}/${name}`)].find((path) => existsSync(join(SPEC, path, "facts.json")));

/** When a file that built modules are made of was changed last, in milliseconds. */
export function changed() {
  const sources = readdirSync(SPEC, { recursive: true }).filter((path) => /(schema|facts)[.]json$/.test(path)).map((path) => join(SPEC, path));
  const own = ["compile.mjs", "documents.mjs", "labelled.mjs"].map((name) => fileURLToPath(new URL(name, import.meta.url)));
  return Math.max(...[...sources, ...own].map((path) => statSync(path).mtimeMs));
}
