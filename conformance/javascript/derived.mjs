// What follows from the nodes of a description, as "Measuring" of the chapter says: axes, series, and fields of nodes.

const SHOWN = 16;
const isText = (value) => typeof value === "string";
const isWhole = (value) => typeof value === "number" && Number.isInteger(value) && value >= 0;
const byCode = (one, other) => {
  const [a, b] = [[...one], [...other]];
  const at = a.findIndex((character, index) => character !== b[index]);
  return at < 0 || at >= b.length ? a.length - b.length : a[at].codePointAt(0) - b[at].codePointAt(0);
};
const sorted = (texts) => [...new Set(texts)].sort(byCode);
const numbers = (values) => [...new Set(values)].sort((a, b) => a - b);
const parentOf = (path) => path.slice(0, path.lastIndexOf("/")) || "/";
const nameOf = (path) => path.slice(path.lastIndexOf("/") + 1);
const axisOf = (name) => (name ?? "").split(":")[0];
const attributesOf = (node) => node?.attributes ?? {};

/** A copy of a description in which all that follows from the primary fields of its nodes was made again. */
export function derived({ container, values, nodes: given }) {
  const nodes = Object.fromEntries(sorted(Object.keys(given)).map((path) => [path, { ...given[path] }]));
  const members = {};
  for (const path of Object.keys(nodes)) if (path !== "/") (members[parentOf(path)] ??= []).push(path);
  for (const [path, node] of Object.entries(nodes)) complete(nodes, members, path, node);
  const whole = { container, values, nodes, axes: axes(nodes), series: series(nodes, members) };
  const absent = notCaptured(nodes);
  return Object.keys(absent).length ? { ...whole, not_captured: absent } : whole;
}

function complete(nodes, members, path, node) {
  if (node.kind === "group") node.members = (members[path] ?? []).length;
  const unused = sorted(Object.keys(attributesOf(node)).filter((key) => key.startsWith("scope_")).map((key) => key.slice(6)))
    .filter((axis) => holderOf(nodes, path, axis) === path && !isTaken(nodes, path, axis));
  delete node.unused_scopes;
  if (unused.length) node.unused_scopes = unused.slice(0, SHOWN);
  if (node.kind !== "array") return;
  if (node.axes?.length === 1 && node.axes[0] === nameOf(path)) node.coordinate = true;
  node.roles = {};
  for (const [axis, ...role] of (node.axes ?? []).map((name) => (name ?? "").split(":")))
    if (role.length) (node.roles[role.join(":")] ??= []).push(axis);
  const references = Object.entries(node.attributes).filter(([, path]) => isText(path) && path.startsWith("/"))
    .flatMap(([name, target]) => referenceOf(nodes, path, name, target));
  if (references.length) node.references = Object.fromEntries(references);
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
  return Object.fromEntries(lengths.filter(([, , length]) => isWhole(length) && length)
    .map(([axis, size, length]) => [`${axis}_block`, Math.ceil(size / length)]));
}

/** Each axis of an array with its scope and its size, as one text for each of its names. */
const sized = (nodes, path, names) => (nodes[path].axes ?? []).flatMap((axis, at) =>
  names(axis).map((name) => JSON.stringify([name, axis && keyOf(nodes, path, axisOf(axis)), nodes[path].shape[at]])));

/** The key of an axis in `axes`: with the label of the scope in which it is at a path. */
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

const isTaken = (nodes, holder, axis) => Object.entries(nodes).some(([path, node]) =>
  (node.axes ?? []).some((name) => axisOf(name) === axis) && holderOf(nodes, path, axis) === holder);

function axes(nodes) {
  const found = {};
  const see = (path, axis, size) => {
    const seen = ((found[keyOf(nodes, path, axis)] ??= {})[size] ??= { count: 0, first: [] });
    seen.count += 1;
    seen.first = sorted([...seen.first, path]).slice(0, 2);
  };
  for (const [path, node] of Object.entries(nodes)) {
    if (node.kind === "array") node.axes?.forEach((name, at) => axisOf(name) && see(path, axisOf(name), node.shape[at]));
    for (const [key, size] of path === "/" ? [] : Object.entries(attributesOf(node))) {
      const axis = key.startsWith("size_") ? key.slice(5) : "";
      const declares = path === "/metadata" ? node.kind === "group" : isText(node.attributes[`scope_${axis}`]);
      if (axis && declares && isWhole(size)) see(path, axis, size);
    }
  }
  return found;
}

function series(nodes, members) {
  const found = {};
  for (const [path, node] of Object.entries(nodes)) {
    if (node.kind !== "group") continue;
    const families = {};
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
  const count = isWhole(declared) ? declared : null;
  const present = Array.isArray(own.present) && own.present.every(isWhole) ? numbers(own.present) : null;
  const indices = family.map(([, digits]) => Number(digits)).sort((a, b) => a - b);
  const end = Math.max(0, ...indices.map((index) => index + 1), by === parent ? (count ?? 0) : 0);
  const missing = (present ?? Array.from({ length: end }, (_, index) => index)).filter((index) => !indices.includes(index));
  const undeclared = indices.filter((index) => (present ? !present.includes(index) : count !== null && index >= count));
  const paths = family.map(([path]) => path);
  return {
    stem, indices, missing: missing.slice(0, SHOWN), missing_count: missing.length, declared: count, declared_by: by ?? null,
    present: present?.slice(0, SHOWN) ?? null, undeclared: undeclared.slice(0, SHOWN), partial: own.partial === true,
    siblings: (members[parent] ?? []).length, digits: numbers(family.map(([, digits]) => digits.length)),
    kinds: sorted(paths.map((path) => nodes[path].kind)), ...alike(nodes, paths), members: inner(nodes, members, family),
  };
}

function alike(nodes, paths) {
  const arrays = paths.map((path) => nodes[path]).filter((node) => node.kind === "array");
  const shapes = Object.values(Object.fromEntries(arrays.map(({ shape }) => [shape.join(), shape])));
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
  return Object.fromEntries(names.map((name) => {
    const having = groups.filter(({ names }) => names.has(name));
    const absent = groups.filter((group) => {
      const kin = groups.filter(({ kind }) => kind === group.kind);
      const only = [...group.names].every((each) => kin.every(({ names }) => names.has(each)));
      return only && !group.names.has(name) && kin.some(({ names }) => names.has(name));
    });
    const paths = having.map(({ path }) => `${path}/${name}`);
    return [name, { absent: absent.map(({ index }) => index).sort((a, b) => a - b).slice(0, SHOWN), ...alike(nodes, paths) }];
  }));
}

function notCaptured(nodes) {
  const listed = attributesOf(nodes["/"]).not_captured;
  const found = {};
  for (const text of Array.isArray(listed) ? listed.filter(isText) : []) {
    const end = text.indexOf(": ");
    const reason = text.slice(end + 2);
    if (end > 0 && text.startsWith("/") && reason) found[text.slice(0, end)] = { reason, present: text.slice(0, end) in nodes };
  }
  return found;
}
