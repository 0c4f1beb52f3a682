// Documents of Zarr version 3: what they say of an array or a group, or why they cannot be used.

import { blosc } from "./blosc.mjs";
import { CRC32C } from "./chain.mjs";
import { gzip, zstd } from "./compressors.mjs";
import { SIZES } from "./dtypes.mjs";
import { product } from "./grid.mjs";
import { isObject, isText, isWhole, Unreadable } from "./json.mjs";
import { fillOf, lengthsOf, shapeOf } from "./zarr_fields.mjs";

const invalid = (detail) => new Unreadable("metadata-invalid", detail);
const unsupported = (detail) => new Unreadable("unsupported", detail);
const FIELDS = {
  group: new Set(["zarr_format", "node_type", "attributes", "consolidated_metadata"]),
  array: new Set(["zarr_format", "node_type", "attributes", "shape", "data_type", "chunk_grid", "chunk_key_encoding", "fill_value", "codecs",
    "storage_transformers", "dimension_names"]),
};
const OTHER_TYPES = {
  string: "string", fixed_length_utf32: "string", "numpy.datetime64": "datetime", "numpy.timedelta64": "timedelta", structured: "compound", struct: "compound",
  bytes: "bytes", variable_length_bytes: "bytes", null_terminated_bytes: "bytes", raw_bytes: "opaque", variable_length_utf8: "string",
};

/** A node by its document: {kind: "group" | "array", attributes, …}. Throws `Unreadable`. */
export function nodeOf(document) {
  if (document.zarr_format !== 3) throw invalid("zarr_format is not 3");
  const kind = document.node_type;
  if (kind !== "group" && kind !== "array") throw invalid("node_type is neither group nor array");
  for (const [name, value] of Object.entries(document))
    if (!FIELDS[kind].has(name) && !(isObject(value) && value.must_understand === false)) throw unsupported(`the field ${name}`);
  const attributes = document.attributes ?? {};
  if (!isObject(attributes) || document.attributes === null) throw invalid("attributes are not an object");
  return { kind, attributes, ...(kind === "array" && arrayOf(document)) };
}

function arrayOf(document) {
  const shape = shapeOf(document.shape);
  const type = typeOf(document.data_type);
  const chunk = chunkOf(document.chunk_grid, shape, type);
  const { name, configuration } = extensionOf(document.chunk_key_encoding, "chunk_key_encoding");
  if (name !== "default" && name !== "v2") throw unsupported("chunk_key_encoding is unknown");
  const separator = configuration?.separator ?? (name === "v2" ? "." : "/");
  if (separator !== "/" && separator !== ".") throw invalid("separator");
  const transformers = document.storage_transformers ?? [];
  if (!Array.isArray(transformers)) throw invalid("storage_transformers are not a list");
  if (transformers.length) throw unsupported("storage_transformers");
  if (document.fill_value === undefined || document.fill_value === null) throw invalid("fill_value");
  return {
    shape, type, chunk, keys: { name, separator }, fill: fillOf(document.fill_value, type, 3),
    axes: namesOf(document.dimension_names, shape), chain: chainOf(document.codecs, chunk, type),
  };
}

function typeOf(value) {
  if (isText(value)) return /^r[0-9]+$/.test(value) ? { dtype: "opaque", size: Number(value.slice(1)) / 8 }
    : { dtype: OTHER_TYPES[value] ?? value, size: SIZES[value] ?? 1 };
  if (!isObject(value) || !isText(value.name) || !isObject(value.configuration)) throw invalid("data_type");
  const length = value.configuration.length_bytes;
  return { dtype: OTHER_TYPES[value.name] ?? value.name, size: isWhole(length) ? Number(length) : 8 };
}

function chunkOf(grid, shape, { size }) {
  const { name, configuration } = extensionOf(grid, "chunk_grid");
  if (name !== "regular") throw invalid("chunk_grid is unknown");
  return lengthsOf(configuration?.chunk_shape, shape, size);
}

function extensionOf(value, what) {
  if (!isObject(value) || !isText(value.name)) throw invalid(`${what} is not an object with a name`);
  if (value.configuration !== undefined && !isObject(value.configuration)) throw invalid(`the configuration of ${what} is not an object`);
  for (const key of Object.keys(value))
    if (key !== "name" && key !== "configuration" && key !== "must_understand") throw unsupported(`${key} of ${what}`);
  return value;
}

function namesOf(names, shape) {
  if (names === undefined || names === null) return null;
  if (!Array.isArray(names) || names.length !== shape.length || !names.every((name) => name === null || isText(name))) throw invalid("dimension_names");
  return names;
}

const between = (least, most) => (value) => Number.isInteger(value) && value >= least && value <= most;
const oneOf = (...values) => (value) => values.includes(value);
const packer = (name, decode) => () => ({ name, grows: () => null, decode });
/** Codecs of bytes: what their configuration may hold, what it must, and the codec. */
const PACKED = {
  gzip: [{ level: between(0, 9) }, [], packer("gzip", gzip)],
  zstd: [{ level: between(-131072, 22), checksum: (value) => typeof value === "boolean" }, [], packer("zstd", zstd)],
  blosc: [
    {
      cname: oneOf("blosclz", "lz4", "lz4hc", "snappy", "zlib", "zstd"), clevel: between(0, 9), shuffle: oneOf("noshuffle", "shuffle", "bitshuffle"),
      typesize: between(1, 255), blocksize: isWhole,
    },
    [], packer("blosc", blosc),
  ],
  crc32c: [{}, null, () => CRC32C],
};

function settings(name, configuration, known, needed) {
  if (configuration === undefined && needed) throw invalid(`${name} without a configuration`);
  for (const [key, value] of Object.entries(configuration ?? {})) {
    if (!Object.hasOwn(known, key)) throw unsupported(`${key} of ${name}`);
    if (!known[key](value)) throw invalid(`${key} of ${name}`);
  }
  for (const key of needed ?? []) if (configuration[key] === undefined) throw invalid(`${name} without ${key}`);
  return configuration ?? {};
}

/** The chain of codecs for chunks of a shape; `names` has all of them, `known` says whether each can be decoded. */
export function chainOf(codecs, chunk, type) {
  if (!Array.isArray(codecs)) throw invalid("codecs are not a list");
  const chain = { orders: [], big: false, shard: null, packed: [], names: [], known: true };
  let [shape, made] = [chunk, false];
  for (const codec of codecs) {
    const { name, configuration } = extensionOf(codec, "a codec");
    chain.names.push(name);
    if (name === "transpose" || name === "bytes" || name === "sharding_indexed") {
      if (made) throw invalid(`${name} after what makes bytes`);
      if (name === "transpose") shape = turned(chain, configuration, shape);
      else made = name === "bytes" ? bytesOf(chain, configuration, type) : shardOf(chain, configuration, shape, type);
    } else if (Object.hasOwn(PACKED, name)) {
      if (!made && chain.known) throw invalid(`${name} before what makes bytes`);
      const [known, needed, make] = PACKED[name];
      chain.packed.push(make(settings(name, configuration, known, needed)));
    } else chain.known = false;
  }
  if (!made && chain.known) throw invalid("no codec makes bytes");
  return chain;
}

function turned(chain, configuration, shape) {
  const { order } = settings("transpose", configuration, { order: Array.isArray }, ["order"]);
  const sorted = [...order].sort((one, other) => one - other);
  if (sorted.length !== shape.length || sorted.some((axis, at) => axis !== at)) throw invalid("order of transpose");
  chain.orders.push(order);
  return order.map((axis) => shape[axis]);
}

function bytesOf(chain, configuration, { size, dtype }) {
  const { endian } = settings("bytes", configuration, { endian: oneOf("little", "big") }, null);
  if (endian === undefined && size > 1 && Object.hasOwn(SIZES, dtype)) throw invalid("bytes without endian");
  chain.big = endian === "big";
  return true;
}

function shardOf(chain, configuration, shape, type) {
  const known = { chunk_shape: Array.isArray, codecs: Array.isArray, index_codecs: Array.isArray, index_location: oneOf("start", "end") };
  const { chunk_shape, codecs, index_codecs, index_location } = settings("sharding_indexed", configuration, known, ["chunk_shape", "codecs", "index_codecs"]);
  const chunk = lengthsOf(chunk_shape, shape, type.size);
  if (chunk.some((length, axis) => shape[axis] % length)) throw invalid("chunks that do not divide the shard");
  const index = chainOf(index_codecs, [product(shape.map((size, axis) => size / chunk[axis])), 2], { dtype: "uint64", size: 8 });
  if (index.packed.some(({ grows }) => grows(16) === null) || index.shard || index.orders.length) throw invalid("an index of unknown size");
  const inner = chainOf(codecs, chunk, type);
  chain.names.push(...inner.names, ...index.names);
  chain.known &&= inner.known && index.known;
  chain.shard = { chunk, chain: inner, index, atStart: index_location === "start" };
  return true;
}
