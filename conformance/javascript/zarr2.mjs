// Documents of Zarr version 2: what they say of an array, or why they cannot be used.

import { codecOf } from "./filters.mjs";
import { isObject, isText, Unreadable } from "./json.mjs";
import { typeOf } from "./numpy.mjs";
import { fillOf, lengthsOf, shapeOf } from "./zarr_fields.mjs";

const invalid = (detail) => new Unreadable("metadata-invalid", detail);
const TEXTS = { "vlen-utf8": "string", "vlen-bytes": "bytes" };

/** An array by its `.zarray`, with the attributes of its `.zattrs`. Throws `Unreadable`; `pickled` says that only unpickling reads it. */
export function arrayOf(document, attributes) {
  if (document.zarr_format !== 2) throw invalid("zarr_format is not 2");
  const shape = shapeOf(document.shape);
  const { order, compressor, filters } = document;
  for (const name of ["compressor", "filters", "fill_value"]) if (document[name] === undefined) throw invalid(`no ${name}`);
  if (order !== "C" && order !== "F") throw invalid("order is neither C nor F");
  if (filters !== null && !Array.isArray(filters)) throw invalid("filters are not a list");
  const configurations = [...(filters ?? []), ...(compressor === null ? [] : [compressor])];
  if (configurations.some((each) => !isObject(each) || !isText(each.id))) throw invalid("a codec without id");
  const ids = configurations.map(({ id }) => id);
  const text = ids.find((id) => Object.hasOwn(TEXTS, id));
  const type = Array.isArray(document.dtype) ? recordOf(document.dtype) : isText(document.dtype) ? typeOf(document.dtype) : fail();
  const pickled = ids.includes("pickle") || (type.dtype === "object" && !text && !ids.includes("json2") && !ids.includes("msgpack2"));
  if (type.dtype === "object" && text) type.dtype = TEXTS[text];
  const chunk = lengthsOf(document.chunks, shape, type.size);
  const separator = document.dimension_separator ?? ".";
  if (separator !== "." && separator !== "/") throw invalid("dimension_separator");
  const codecs = configurations.map((each) => codecOf(each));
  return {
    kind: "array", ...namesOf(attributes, shape), shape, type, chunk, pickled, keys: { name: "v2", separator },
    fill: fillOf(document.fill_value ?? null, type, 2),
    chain: {
      orders: order === "F" ? [shape.map((_, axis) => shape.length - 1 - axis)] : [], big: type.big, shard: null, packed: codecs.filter((each) => each), names: ids,
      known: codecs.every((codec) => codec !== null),
    },
  };
}

function fail() {
  throw invalid("dtype");
}

function recordOf(fields) {
  let size = 0;
  for (const field of fields) {
    if (!Array.isArray(field) || field.length < 2 || !isText(field[0])) throw invalid("dtype of a record");
    size += Array.isArray(field[1]) ? recordOf(field[1]).size : isText(field[1]) ? typeOf(field[1]).size : fail();
  }
  return { dtype: "compound", size, big: false };
}

/** The axes, and the attributes without them; a `_ARRAY_DIMENSIONS` that does not name the dimensions is an attribute like others. */
function namesOf(attributes, shape) {
  const { _ARRAY_DIMENSIONS: axes, ...others } = attributes;
  if (axes === undefined) return { axes: null, attributes };
  const fit = Array.isArray(axes) && axes.length === shape.length && axes.every((axis) => axis === null || isText(axis));
  return fit ? { axes, attributes: others } : { axes: null, attributes, detail: `_ARRAY_DIMENSIONS does not name ${shape.length} dimensions` };
}
