// Archives of ASDF: the walk over the tree, and ndarrays in blocks or in the tree.

import { contentOf, isKnown, partsOf } from "./asdf_blocks.mjs";
import { axesOf } from "./accounts.mjs";
import { blockValues } from "./block.mjs";
import { Damaged } from "./damage.mjs";
import { SIZES, viewOf } from "./dtypes.mjs";
import { product } from "./grid.mjs";
import { isText, isWhole, textOf, Unreadable } from "./json.mjs";
import { array, DEPTH, failureOf, group, left, Tree, unreadable } from "./tree.mjs";
import { followed, treeOf, valueOf } from "./yaml.mjs";
import { shapeOf } from "./zarr_fields.mjs";

const CORE = "tag:yaml.org,2002:";
const ASDF = "tag:stsci.edu:asdf/core/";
const LIBRARY = new Set(["asdf_library", "history"]);
const FIELDS = new Set(["source", "datatype", "byteorder", "shape", "strides", "offset", "mask", "data"]);
const invalid = (detail) => new Unreadable("metadata-invalid", detail);
const unsupported = (detail) => new Unreadable("unsupported", detail);

/** The tree of a file. */
export async function readAsdf(file) {
  const container = { format: "asdf", version: null, store: "file", consolidated: false };
  const tree = new Tree(container);
  try {
    const parts = await partsOf(file);
    if (parts.readings.length) container.readings = parts.readings;
    const ndarray = `${ASDF}ndarray-1.${parts.standard === "1.6.0" ? 1 : 0}.0`;
    const root = treeOf(textOf(parts.text));
    visit({ tree, ndarray, ...parts }, { parent: null, name: null, node: root, depth: 0 });
  } catch (error) {
    tree.nodes.clear();
    tree.add(null, null, failureOf(error));
  }
  return tree;
}

/** Whether a node is a member of a group; other values are stray. */
function isMember(node) {
  if (followed(node) === null) return true;
  const { kind, tag, items } = followed(node);
  if (tag !== null && !tag.startsWith(CORE)) return true;
  if (isPython(tag)) return true;
  return kind === "map" || (kind === "seq" && items.some((item) => isMember(item)));
}

const isPython = (tag) => tag?.startsWith(`${CORE}python`) ?? false;
const isNdarray = ({ tag }) => tag?.startsWith(`${ASDF}ndarray-`) ?? false;

function visit(state, { parent, name, node, depth }) {
  const { tree } = state;
  const put = (found, source) => {
    const path = tree.add(parent, name, found);
    if (source) tree.sources.set(path, source);
    return path;
  };
  try {
    if (depth > DEPTH) throw new Unreadable("over-limit", "too deep");
    if (name === "." || name === ".." || name?.includes("/")) return addInvalid(tree, parent, name);
    if (node.kind === "alias") return put(left("link", "internal-link", "an alias"));
    if (isPython(node.tag)) return put(left("object", "pickle", node.tag));
    if (node.twice) throw new Unreadable("metadata-malformed", "a key that is there twice");
    const fields = node.kind === "map" ? new Map(node.pairs) : null;
    if (isNdarray(node)) return put(...arrayOf(state, node, new Map()));
    if (node.tag !== null && !node.tag.startsWith(CORE) && !(depth === 0 && node.tag.startsWith(`${ASDF}asdf-`))) throw unsupported(`the tag ${node.tag}`);
    if (fields?.has("data") && isNdarray(fields.get("data")) && [...fields.keys()].every((key) => ["data", "axes", "attributes"].includes(key)))
      return put(...arrayOf(state, fields.get("data"), fields));
    if (!fields && node.kind !== "seq") throw invalid("a tree that is not a mapping");
    const attributes = fields?.get("attributes");
    const own = attributes?.kind === "map" && attributes.tag === null ? attributes : null;
    const path = put(group(...attributesOf(own)));
    for (const [key, inner] of fields ?? node.items.map((item, at) => [String(at), item])) {
      if ((key === "attributes" && own) || (depth === 0 && LIBRARY.has(key))) continue;
      if (isMember(inner)) visit(state, { parent: path, name: key, node: followed(inner) ?? inner, depth: depth + 1 });
      else tree.addStray(path, key);
    }
    return path;
  } catch (error) {
    return put(failureOf(error));
  }
}

/** A node whose name leads elsewhere; a slash in it is escaped. */
function addInvalid(tree, parent, name) {
  const node = unreadable("metadata-invalid", "a name that leads elsewhere");
  const path = tree.add(parent, name.replaceAll("/", "\uf8ff"), node);
  tree.nodes.delete(path);
  tree.nodes.set(path.replaceAll("\uf8ff", "\\u002f"), node);
}

/** JSON values of a mapping, and what is none. */
function attributesOf(node) {
  const [raw, refused] = [Object.create(null), Object.create(null)];
  if (node?.twice) throw new Unreadable("metadata-malformed", "a key that is there twice");
  for (const [key, value] of node?.pairs ?? []) {
    const found = valueOf(value);
    if (found === undefined) refused[key] = "not a JSON value";
    else raw[key] = found;
  }
  return [raw, refused];
}

/** The node and the source of an ndarray, with the axes and attributes beside it. */
function arrayOf(state, node, beside) {
  if (node.tag !== state.ndarray) throw unsupported(`the tag ${node.tag}`);
  if (node.twice) throw new Unreadable("metadata-malformed", "a key that is there twice");
  const attributes = beside.get("attributes");
  if (attributes && attributes.kind !== "map") throw invalid("attributes are not a mapping");
  const [raw, refused] = attributesOf(attributes);
  const axes = beside.has("axes") ? valueOf(beside.get("axes")) : null;
  if (axes === undefined) throw invalid("axes are not a list of names");
  const found = node.kind === "seq" ? inline(node, null, null) : inBlock(state, node);
  if (found.node) return [found.node];
  const { type, shape, load, order } = found;
  const shown = array({ dtype: type.dtype, shape, bytes: product(shape) * type.size, raw, refused, ...axesOf(axes, shape.length) });
  const read = () => blockValues(load, { shape, type, order, key: String(found.source ?? "inline") });
  return [shown, { readable: Object.hasOwn(SIZES, type.dtype), read }];
}

function inBlock(state, node) {
  const fields = Object.create(null);
  for (const [key, value] of node.pairs ?? []) {
    if (!FIELDS.has(key) || key === "mask") throw unsupported(`${key} of an ndarray`);
    fields[key] = key === "data" ? value : valueOf(value);
  }
  if (fields.data) return inline(followed(fields.data), fields.datatype, fields.shape);
  const { source } = fields;
  if (isText(source)) return { node: left("object", "external-storage") };
  if (!Number.isInteger(source)) throw invalid("source");
  if (Array.isArray(fields.shape) && fields.shape.includes("*")) throw unsupported("values in a stream");
  const shape = shapeOf(fields.shape);
  const type = typeOf(fields.datatype);
  if (fields.byteorder !== "little" && fields.byteorder !== "big") throw invalid("byteorder");
  if (shape.reduce((all, size) => all * BigInt(size || 1), BigInt(type.size)) >= 2n ** 63n) throw invalid("more bytes than 2^63");
  const block = state.blocks.at(source);
  if (!block || source < -state.blocks.length) throw new Damaged("truncated", `no block ${source}`);
  if (block.damage) throw new Damaged("truncated", block.damage);
  if (block.streamed || !isKnown(block.packing)) throw unsupported(`a block that is packed as ${JSON.stringify(block.packing)}`);
  const { offset = 0, strides } = fields;
  const bytes = strides === undefined ? product(shape) * type.size : extentOf(strides, shape, type.size);
  if (!isWhole(offset) || offset > block.length) throw invalid("values beyond the block");
  if (offset + bytes > block.length) throw strides === undefined ? invalid("values beyond the block") : unsupported("strides that leave the block");
  const load = async () => (await contentOf(block)).subarray(offset, offset + bytes);
  return { shape, type: { ...type, big: fields.byteorder === "big" }, order: strides ?? "C", source, load };
}

const TYPES = /^(bool8|u?int(8|16|32|64)|float(16|32|64)|complex(64|128))$/;

function typeOf(datatype) {
  if (isText(datatype)) {
    if (!TYPES.test(datatype)) throw unsupported(`the data type ${datatype}`);
    const dtype = datatype === "bool8" ? "bool" : datatype;
    return { dtype, size: SIZES[dtype] };
  }
  if (!Array.isArray(datatype)) throw invalid("datatype");
  const [kind, length] = datatype;
  if (datatype.length === 2 && (kind === "ascii" || kind === "ucs4") && isWhole(length)) return { dtype: kind === "ascii" ? "bytes" : "string", size: Number(length) * (kind === "ucs4" ? 4 : 1) };
  const sizes = datatype.map((field) => typeOf(isText(field) || Array.isArray(field) ? field : field?.datatype).size);
  return { dtype: "compound", size: sizes.reduce((all, size) => all + size, 0) };
}

/** How many bytes entries take that lie `strides` bytes apart; no two may share bytes, and none run backwards. */
function extentOf(strides, shape, size) {
  if (!Array.isArray(strides) || strides.length !== shape.length || !strides.every((step) => Number.isInteger(step) && step)) throw invalid("strides");
  if (strides.some((step) => step < 0)) throw unsupported("strides that run backwards");
  if (shape.includes(0)) return 0;
  const steps = strides.map((step, axis) => [step, shape[axis]]).filter(([, length]) => length > 1).sort(([one], [other]) => one - other);
  let extent = size;
  for (const [step, length] of steps) {
    if (step < extent) throw unsupported("strides by which entries share bytes");
    extent += step * (length - 1);
  }
  return extent;
}

/** Values in the tree: lists of numbers, of one type. */
function inline(node, datatype, given) {
  const value = node && valueOf({ ...node, tag: null });
  if (!Array.isArray(value)) throw unsupported("values in the tree that are not lists of numbers");
  const shape = [];
  for (let inner = value; Array.isArray(inner); [inner] = inner) shape.push(inner.length);
  const flat = value.flat(shape.length);
  const isEven = (list, level) => (level === shape.length ? !Array.isArray(list) : Array.isArray(list) && list.length === shape[level] && list.every((each) => isEven(each, level + 1)));
  if (!isEven(value, 0) || flat.some((each) => typeof each !== "number" && typeof each !== "boolean" && typeof each !== "bigint")) throw unsupported("values in the tree that are not numbers");
  if (given !== undefined && given !== null && String(shapeOf(given)) !== String(shape)) throw invalid("shape of values in the tree");
  const isWholes = flat.every((each) => typeof each !== "boolean" && (typeof each === "bigint" || Number.isInteger(each)) && !Object.is(each, -0));
  const guessed = flat.every((each) => typeof each === "boolean") && flat.length ? "bool8" : isWholes && flat.length ? "int64" : "float64";
  const type = typeOf(datatype ?? guessed);
  if (!Object.hasOwn(SIZES, type.dtype) || type.dtype.startsWith("complex") || type.dtype === "float16") throw unsupported(`values of ${type.dtype} in the tree`);
  const bytes = new Uint8Array(flat.length * type.size);
  const view = viewOf(bytes, type.dtype);
  flat.forEach((each, at) => (view[at] = type.dtype.endsWith("int64") ? BigInt(each) : Number(each)));
  return { shape, type: { ...type, big: false }, load: async () => bytes };
}
