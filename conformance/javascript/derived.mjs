// What follows from the nodes of a description, as "Measuring" of the chapter says: axes, series, and fields of nodes.

import { isWhole } from "./json.mjs";

const SHOWN = 16;
const isText = (value) => typeof value === "string";
/** By the numbers of characters; texts of JavaScript are in order of their halves, which differs above U+D7FF alone. */
const byCode = (one, other) => {
  let at = 0;
  while (at < one.length && one[at] === other[at]) at += 1;
  if (at === one.length || at === other.length) return one.length - other.length;
  const [a, b] = [one.charCodeAt(at), other.charCodeAt(at)];
  const lifted = (unit) => (unit >= 0xd800 && unit < 0xe000 ? unit + 0x10000 : unit);
  return lifted(a) - lifted(b);
};
const sorted = (texts) => [...new Set(texts)].sort(byCode);
const numbers = (values) => [...new Set(values)].sort((a, b) => a - b);
const parentOf = (path) => path.slice(0, path.lastIndexOf("/")) || "/";
const nameOf = (path) => path.slice(path.lastIndexOf("/") + 1);
const axisOf = (name) => (name ?? "").split(":")[0];
const isAxis = (name) => axisOf(name) !== "" && !axisOf(name).includes("@");
const attributesOf = (node) => node?.attributes ?? {};
/** An object of entries that has no other names. */
const table = (entries = []) => entries.reduce((found, [key, value]) => ((found[key] = value), found), Object.create(null));

/** A copy of a description in which all that follows from the primary fields of its nodes was made again. */
export function derived({ container, values, nodes: given }) {
  const entries = given instanceof Map ? [...given] : Object.entries(given);
  const nodes = table(entries.sort(([one], [other]) => byCode(one, other)).map(([path, node]) => [path, { ...node }]));
  const members = Object.create(null);
  for (const path of Object.keys(nodes)) if (path !== "/") (members[parentOf(path)] ??= []).push(path);
  const taken = takenScopes(nodes);
  for (const [path, node] of Object.entries(nodes)) complete(nodes, members, path, node, taken);
  const whole = { container, values, nodes, axes: axes(nodes), series: series(nodes, members) };
  const absent = notCaptured(nodes);
  return Object.keys(absent).length ? { ...whole, not_captured: absent } : whole;
}

function complete(nodes, members, path, node, taken) {
  if (node.kind === "group") node.members = (members[path] ?? []).length;
  const unused = sorted(Object.keys(attributesOf(node)).filter((key) => key.startsWith("scope_")).map((key) => key.slice(6)))
    .filter((axis) => holderOf(nodes, path, axis) === path && !taken.has(`${path} ${axis}`));
  delete node.unused_scopes;
  if (unused.length) node.unused_scopes = unused.slice(0, SHOWN);
  if (node.kind !== "array") return;
  if (node.axes?.length === 1 && node.axes[0] === nameOf(path)) node.coordinate = true;
  node.roles = table();
  for (const [axis, ...role] of (node.axes ?? []).map((name) => (name ?? "").split(":")))
    if (role.length) (node.roles[role.join(":")] ??= []).push(axis);
  const references = Object.entries(node.attributes).filter(([, path]) => isText(path) && path.startsWith("/"))
    .flatMap(([name, target]) => referenceOf(nodes, path, name, target));
  if (references.length) node.references = table(references);
}

function referenceOf(nodes, owner, name, path) {
  const other = nodes[path];
  if (other && other.kind !== "array" && other.kind !== "group") return [];
  if (other?.kind !== "array") return [[name, { path, exists: false, dtype: null, axes_fit: false }]];
  const known = new Set(sized(nodes, owner, (axis) => [axis, axis && axisOf(axis)]));
  const blocks = blocksOf(nodes[owner]);
  const fits = sized(nodes, path, (axis) => [axis]).every((axis, at) => known.has(axis) || blocks[other.axes[at]] === other.shape[at]);
  return [[name, { path, exists: true, dtype: other.dtype, axes_fit: fits }]];
}

/** How many blocks there are along each axis whose blocks have a length, by the name of their axis. */
function blocksOf({ axes, shape, attributes }) {
  const lengths = (axes ?? []).map((axis, at) => [axis, shape[at], attributes[`block_${axis}`]]);
  return table(lengths.filter(([, , length]) => isWhole(length) && length)
    .map(([axis, size, length]) => [`${axis}_block`, Math.ceil(size / length)]));
}

/** Each axis of an array with its scope and its size, as one text for each of its names. */
const sized = (nodes, path, names) => (nodes[path].axes ?? []).flatMap((axis, at) =>
  names(axis).map((name) => JSON.stringify([name, isAxis(axis) && keyOf(nodes, path, axisOf(axis)), nodes[path].shape[at]])));

/** The key of an axis in `axes`: with the label of the scope in which it is at a path. */
export const scopedKey = keyOf;
function keyOf(nodes, path, axis) {
  const holder = holderOf(nodes, path, axis);
  return holder === undefined ? axis : `${axis}@${nodes[holder].attributes[`scope_${axis}`]}`;
}

/** The node whose label holds for an axis at a path; undefined outside of scopes. */
function holderOf(nodes, path, axis) {
  for (; path !== "/" && path !== "/metadata"; path = parentOf(path))
    if (isText(attributesOf(nodes[path])[`scope_${axis}`])) return path;
  return undefined;
}

/** Each holder of a label, with the axis, that an array takes it for. */
function takenScopes(nodes) {
  const taken = new Set();
  for (const [path, node] of Object.entries(nodes))
    for (const name of node.axes ?? []) if (name) taken.add(`${holderOf(nodes, path, axisOf(name))} ${axisOf(name)}`);
  return taken;
}

function axes(nodes) {
  const found = table();
  const see = (path, axis, size) => {
    const seen = ((found[keyOf(nodes, path, axis)] ??= table())[size] ??= { count: 0, first: [] });
    seen.count += 1;
    if (seen.first.length < 2 && !seen.first.includes(path)) seen.first.push(path); // nodes come sorted
  };
  for (const [path, node] of Object.entries(nodes)) {
    if (node.kind === "array") node.axes?.forEach((name, at) => isAxis(name) && see(path, axisOf(name), node.shape[at]));
    for (const [key, size] of path === "/" ? [] : Object.entries(attributesOf(node))) {
      const axis = key.startsWith("size_") ? key.slice(5) : "";
      const declares = path === "/metadata" ? node.kind === "group" : isText(node.attributes[`scope_${axis}`]);
      if (isAxis(axis) && declares && isWhole(size)) see(path, axis, size);
    }
  }
  return found;
}

function series(nodes, members) {
  const found = table();
  for (const [path, node] of Object.entries(nodes)) {
    if (node.kind !== "group") continue;
    const families = table();
    for (const member of members[path] ?? []) {
      const [, stem, digits] = nameOf(member).match(/^(.+)_([0-9]{1,9})$/s) ?? [];
      if (stem !== undefined) (families[stem] ??= []).push([member, digits]);
    }
    for (const [key, count] of path === "/" || path === "/metadata" ? [] : Object.entries(node.attributes)) {
      const [, stem] = key.match(/^num_(.+)s$/s) ?? [];
      if (stem !== undefined && isWhole(count)) families[stem] ??= [];
    }
    for (const [stem, family] of Object.entries(families))
      found[`${path === "/" ? "" : path}/${stem}`] = familyOf(nodes, members, path, stem, family);
  }
  return found;
}

function familyOf(nodes, members, parent, stem, family) {
  const own = attributesOf(nodes[parent]);
  const by = [parent, "/metadata"].slice(0, family.length ? 2 : 1).find((path) => (attributesOf(nodes[path])[`num_${stem}s`] ?? null) !== null);
  const declared = by === undefined ? null : attributesOf(nodes[by])[`num_${stem}s`];
  const count = isWhole(declared) ? Number(declared) : null;
  const present = Array.isArray(own.present) && own.present.every(isWhole) ? numbers(own.present.map(Number)) : null;
  const indices = family.map(([, digits]) => Number(digits)).sort((a, b) => a - b);
  const end = Math.max(0, ...indices.map((index) => index + 1), by === parent ? (count ?? 0) : 0);
  const known = new Set(indices);
  const { missing, missing_count } = present ? listed(present.filter((index) => !known.has(index))) : gaps(end, known);
  const expected = new Set(present);
  const undeclared = indices.filter((index) => (present ? !expected.has(index) : count !== null && index >= count));
  const paths = family.map(([path]) => path);
  return {
    stem, indices, missing, missing_count, declared: count, declared_by: by ?? null,
    present: present?.slice(0, SHOWN) ?? null, undeclared: undeclared.slice(0, SHOWN), partial: own.partial === true,
    siblings: (members[parent] ?? []).length, digits: numbers(family.map(([, digits]) => digits.length)),
    kinds: sorted(paths.map((path) => nodes[path].kind)), ...alike(nodes, paths), members: inner(nodes, members, family),
  };
}

const listed = (missing) => ({ missing: missing.slice(0, SHOWN), missing_count: missing.length });

/** The first numbers below an end, which may be large, that are not known, and how many there are. */
function gaps(end, known) {
  const missing = [];
  for (let index = 0; index < end && missing.length < SHOWN; index += 1) if (!known.has(index)) missing.push(index);
  return { missing, missing_count: end - known.size };
}

function alike(nodes, paths) {
  const arrays = paths.map((path) => nodes[path]).filter((node) => node.kind === "array");
  const shapes = [...new Map(arrays.map(({ shape }) => [shape.join(), shape])).values()];
  const compare = (one, other) => one.map((size, at) => size - (other[at] ?? -1)).find((less) => less) ?? one.length - other.length;
  return { dtypes: sorted(arrays.map(({ dtype }) => dtype)), shapes: shapes.sort(compare) };
}

/** Of each name in members that are groups: what its arrays are like, and the groups that lack it. */
function inner(nodes, members, family) {
  const groups = family.filter(([path]) => nodes[path].kind === "group").map(([path, digits]) => ({
    path, index: Number(digits), names: new Set((members[path] ?? []).map(nameOf)),
    kind: isText(nodes[path].attributes.kind) ? nodes[path].attributes.kind : null,
  }));
  const names = sorted(groups.flatMap(({ names }) => [...names]));
  const kinds = new Map();
  for (const { kind, names: own } of groups) {
    const { all, some } = kinds.get(kind) ?? { all: own, some: new Set() };
    kinds.set(kind, { all: new Set([...all].filter((name) => own.has(name))), some: new Set([...some, ...own]) });
  }
  const least = groups.filter(({ kind, names: own }) => own.size === kinds.get(kind).all.size);
  return table(names.map((name) => {
    const having = groups.filter(({ names }) => names.has(name));
    const absent = least.filter(({ kind, names: own }) => !own.has(name) && kinds.get(kind).some.has(name));
    const paths = having.map(({ path }) => `${path}/${name}`);
    return [name, { absent: absent.map(({ index }) => index).sort((a, b) => a - b).slice(0, SHOWN), ...alike(nodes, paths) }];
  }));
}

function notCaptured(nodes) {
  const listed = attributesOf(nodes["/"]).not_captured;
  const found = table();
  for (const text of Array.isArray(listed) ? listed.filter(isText) : []) {
    const end = text.indexOf(": ");
    const reason = text.slice(end + 2);
    if (end > 0 && text.startsWith("/") && reason) found[text.slice(0, end)] = { reason, present: text.slice(0, end) in nodes };
  }
  return found;
}
