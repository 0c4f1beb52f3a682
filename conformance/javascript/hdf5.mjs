// Archives of HDF5: groups, datasets, attributes and names of axes, read by hand, so that damage and links can be told apart.

import { Damaged } from "./damage.mjs";
import { Cursor, UNDEFINED } from "./hdf5_bytes.mjs";
import { datasetOf } from "./hdf5_dataset.mjs";
import { bodyOf, fileOf, linksOf, messagesOf, startOf } from "./hdf5_header.mjs";
import { globalOf, heapOf, recordsOf } from "./hdf5_heap.mjs";
import { itemsOf, spaceAt, textOf, typeAt } from "./hdf5_types.mjs";
import { parse, Unreadable } from "./json.mjs";
import { DEPTH, failureOf, group, left, Tree, unreadable } from "./tree.mjs";

const ATTRIBUTES = 4096;
const ATTRIBUTE = 1 << 20;
const PATH = 4096;
const LARGEST = 2 ** 31;
const DIMENSION = "This is a netCDF dimension but not a netCDF variable";
const NOT_COORDINATE = "_nc4_non_coord_";
const OWNED = new Set(["CLASS", "NAME", "REFERENCE_LIST", "DIMENSION_LIST", "DIMENSION_LABELS", "_NCProperties", "_FillValue", "json_attributes"]);
const FORMATS = [[80, 75, 3, 4], [80, 75, 5, 6], [35, 33], [60, 115, 99, 114], [37, 80, 68, 70], [127, 69, 76, 70], [77, 90], [137, 80, 78, 71], [71, 73, 70, 56],
  [255, 216, 255], [31, 139], [35, 65, 83, 68, 70], [147, 78, 85, 77], [82, 97, 114, 33], [55, 122, 188, 175], [40, 181, 47, 253], [66, 90, 104], [253, 55, 122]];

/** The tree of a file; null where it is no HDF5 that can be opened. */
export async function readHdf5(entry) {
  const start = await startOf(entry);
  if (start < 0 || entry.size > LARGEST) return null;
  const bytes = await entry.read();
  let file;
  try {
    file = fileOf(bytes, start);
  } catch (error) {
    if (!(error instanceof Damaged)) throw error;
    return null;
  }
  const readings = readingsOf(bytes, start, file.end);
  const tree = new Tree({ format: "hdf5", version: null, store: "file", consolidated: false, ...(readings.length && { readings }) });
  if (file.open) tree.add(null, null, unreadable("damaged", "the file is open to be written, or was left so"));
  else await walk({ file, tree, paths: new Map(), datasets: [] });
  return tree;
}

function readingsOf(bytes, start, end) {
  const found = [];
  if (start && FORMATS.some((format) => format.every((byte, at) => bytes[at] === byte))) found.push("a user block that begins like another format");
  if (!bytes.subarray(end).every((byte) => byte === 0)) found.push("bytes behind the end that the superblock declares");
  return found;
}

async function walk(state) {
  visit(state, { parent: null, name: null, address: state.file.root, depth: 0, path: "/" });
  for (const dataset of state.datasets) addDataset(state, dataset);
}

/** Adds the object at an address; datasets are put off until the paths of all scales are known. */
function visit(state, { parent, name, address, depth, path }) {
  const { file, tree, paths } = state;
  const fail = (node) => void tree.add(parent, name, node);
  if (depth > DEPTH || path.length > PATH) return fail(unreadable("over-limit", "a path that is too long"));
  if (paths.has(address)) return fail(left("link", "internal-link", `a second link to ${paths.get(address).path}`));
  paths.set(address, { path, name });
  let found;
  try {
    const messages = messagesOf(file, address);
    const has = (type) => messages.some((message) => message.type === type);
    if (!has(0x11) && !has(2) && !has(6)) {
      if (!has(3)) throw new Damaged("undecodable", "neither a group nor a dataset");
      if (!has(1)) return fail(left("object", "named-type"));
      const shown = tree.add(parent, name, unreadable("damaged"));
      return void state.datasets.push({ parent, name, messages, path: shown });
    }
    const attributes = attributesOf(file, messages);
    if (depth === 0) file.netcdf = Boolean(attributes.owned._NCProperties);
    found = { links: linksOf(file, messages), node: group(attributes.raw, attributes.refused) };
    if (depth === DEPTH && found.links.length) throw new Unreadable("over-limit", "too deep");
  } catch (error) {
    return fail(failureOf(error));
  }
  const own = tree.add(parent, name, found.node);
  const names = found.links.map((link) => ({ ...link, text: textOf(link.name) })).sort((one, other) => (one.text < other.text ? -1 : 1));
  for (const { text, kind, address: target } of names) {
    const place = { parent: own, name: text, address: target, depth: depth + 1, path: `${path === "/" ? "" : path}/${text}` };
    if (kind !== "hard") tree.add(own, text, left("link", kind === "external" ? "external-link" : "internal-link"));
    else if (text === "" || text === "." || text === "..") tree.add(own, text, unreadable("metadata-invalid", "a name that leads elsewhere"));
    else visit(state, place);
  }
}

function addDataset(state, { name, messages, path }) {
  const { file, tree } = state;
  const escaped = tree.nodes.get(path).escaped;
  let found;
  try {
    const attributes = attributesOf(file, messages);
    if (isDimension(file, messages, attributes.owned)) {
      tree.nodes.delete(path);
      return;
    }
    found = datasetOf(file, messages, { ...attributes, ...axesOf(state, messages, attributes.owned, name) });
  } catch (error) {
    found = { node: failureOf(error) };
  }
  const places = [...(escaped ?? []), ...(found.node.escaped ?? [])];
  tree.nodes.set(path, { ...found.node, ...(places.length && { escaped: places }) });
  if (found.source) tree.sources.set(path, found.source);
}

const firstOf = (attribute) => attribute?.items?.[0];
const isScale = (owned) => firstOf(owned.CLASS) === "DIMENSION_SCALE";
const rankOf = (file, messages) => spaceAt(bodyOf(file, messages.find(({ type }) => type === 1)))?.length ?? 0;
const isDimension = (file, messages, owned) => isScale(owned) && rankOf(file, messages) === 1 && String(firstOf(owned.NAME)).startsWith(DIMENSION);

/** The names of axes: labels, else the names of the scales; in netCDF-4 the other way round. */
function axesOf({ file, paths }, messages, owned, name) {
  const rank = rankOf(file, messages);
  const labels = Array.from({ length: rank }, (_, axis) => owned.DIMENSION_LABELS?.items?.[axis] || null);
  const scales = scalesOf(file, owned.DIMENSION_LIST, rank).map((address) => plain(paths.get(address)?.name ?? null));
  if (isScale(owned) && rank === 1) scales[0] ??= plain(name);
  const [first, second] = file.netcdf ? [scales, labels] : [labels, scales];
  const differ = labels.findIndex((label, axis) => label !== null && scales[axis] !== null && label !== scales[axis]);
  const axes = first.map((axis, at) => axis ?? second[at]);
  return { axes, ...(differ >= 0 && { detail: `the label ${labels[differ]} and the scale ${scales[differ]} differ` }) };
}

const plain = (name) => (name?.startsWith(NOT_COORDINATE) ? name.slice(NOT_COORDINATE.length) : name);

/** The address of the first scale of each dimension; `UNDEFINED` where there is none. */
function scalesOf(file, list, rank) {
  const found = new Array(rank).fill(UNDEFINED);
  if (!list || list.type.dtype !== "vlen" || !list.type.inner.object) return found;
  const cursor = new Cursor(file, list.at, list.end);
  for (let axis = 0; axis < Math.min(rank, list.count); axis += 1) {
    const length = cursor.number(4);
    const bytes = globalOf(file, cursor.address(), cursor.number(4));
    if (!length || !bytes) continue;
    found[axis] = new Cursor({ ...file, bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length) }, 0).address();
  }
  return found;
}

/** The attributes of an object: {raw, refused, owned}: JSON values, what is none in words, and those of the libraries. */
function attributesOf(file, messages) {
  const found = messages.filter(({ type }) => type === 12).map((message) => bodyOf(file, message));
  const info = messages.find(({ type }) => type === 0x15);
  if (info) for (const each of denseAttributes(file, new Cursor(file, info.at, info.end))) found.push(each);
  if (found.length > ATTRIBUTES) throw new Unreadable("over-limit", `more than ${ATTRIBUTES} attributes`);
  const result = { raw: Object.create(null), refused: Object.create(null), owned: Object.create(null) };
  for (const cursor of found) {
    const attribute = attributeAt(cursor);
    if (OWNED.has(attribute.name) || attribute.name.startsWith("_Netcdf4")) result.owned[attribute.name] = attribute;
    else settle(file, result, attribute);
  }
  fromJson(result);
  return result;
}

function denseAttributes(file, cursor) {
  cursor.skip(1);
  if (cursor.number(1) & 1) cursor.skip(2);
  const [heap, names] = [cursor.address(), cursor.address()];
  if (heap === UNDEFINED || names === UNDEFINED) return [];
  const records = recordsOf(file, names);
  if (records.length > ATTRIBUTES) throw new Unreadable("over-limit", `more than ${ATTRIBUTES} attributes`);
  const object = heapOf(file, heap);
  return records.map((record) => object(record.subarray(0, 8)));
}

function attributeAt(cursor) {
  const { file } = cursor;
  const version = cursor.number(1);
  const flags = cursor.number(1);
  const sizes = [cursor.number(2), cursor.number(2), cursor.number(2)];
  if (version < 1 || version > 3) throw new Damaged("undecodable", "an attribute of another version");
  if (version === 3) cursor.skip(1);
  const [name, type, space] = sizes.map((size) => {
    const at = cursor.at;
    cursor.skip(version === 1 ? Math.ceil(size / 8) * 8 : size);
    return { at, end: at + size };
  });
  const raw = file.bytes.subarray(name.at, name.end);
  const shared = (part, flag, kind) => bodyOf(file, { ...part, type: kind, flags: version > 1 && flags & flag ? 2 : 0 });
  const found = { name: textOf(raw.subarray(0, raw.indexOf(0) < 0 ? raw.length : raw.indexOf(0))), type: typeAt(shared(type, 1, 3)), shape: spaceAt(shared(space, 2, 1)), at: cursor.at, end: cursor.end };
  found.count = found.shape?.reduce((all, size) => all * size, 1) ?? 0;
  const small = found.count * found.type.size <= ATTRIBUTE;
  found.items = small && found.shape ? itemsOf(new Cursor(file, cursor.at, cursor.end), found.type, found.count) : null;
  found.large = !small;
  return found;
}

/** Puts an attribute among the JSON values, or says what it is. */
function settle(file, { raw, refused }, { name, type, shape, items, large }) {
  const size = file.netcdf && shape?.length === 1 && shape[0] === 1 ? [] : shape;
  if (large) refused[name] = "more than 1 MiB";
  else if (!items) refused[name] = shape ? type.dtype : "a space that holds no value";
  else if (size.length > 1) refused[name] = `an array of ${size.length} dimensions`;
  else raw[name] = size.length ? items : items[0];
}

/** Replaces each text that `json_attributes` lists by the JSON value that it is. */
function fromJson({ raw, refused, owned }) {
  for (const name of owned.json_attributes?.items ?? []) {
    const text = raw[name];
    delete raw[name];
    try {
      if (typeof text !== "string") throw new Unreadable("metadata-invalid", "a name without a text");
      raw[name] = parse(text);
    } catch (error) {
      if (!(error instanceof Unreadable)) throw error;
      refused[name] = "a text that is not JSON";
    }
  }
}

