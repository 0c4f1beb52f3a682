// Archives of safetensors: a JSON header, and the values of tensors behind it.

import { accountsOf, assemble, axesOf } from "./accounts.mjs";
import { blockValues } from "./block.mjs";
import { SIZES } from "./dtypes.mjs";
import { product } from "./grid.mjs";
import { documentOf, isObject, isText, isWhole, parse, Unreadable } from "./json.mjs";
import { array, failureOf, Tree, unreadable } from "./tree.mjs";
import { shapeOf } from "./zarr_fields.mjs";
import { isInside } from "./zip.mjs";

const LIMIT = 64 << 20;
const DOCUMENT = "vizschema";
const TYPES = {
  BOOL: "bool", U8: "uint8", I8: "int8", U16: "uint16", I16: "int16", U32: "uint32", I32: "int32", U64: "uint64", I64: "int64", F16: "float16", BF16: "bfloat16",
  F32: "float32", F64: "float64", C64: "complex64", F8_E4M3: "float8_e4m3fn", F8_E5M2: "float8_e5m2", F8_E4M3FNUZ: "float8_e4m3fnuz", F8_E5M2FNUZ: "float8_e5m2fnuz",
  F8_E8M0: "float8_e8m0fnu",
};

/** Whether bytes at the begin of a file are those of safetensors. */
export const isSafetensors = (head, size) => head.length > 8 && head[8] === 123 && lengthOf(head) <= BigInt(size - 8);
const lengthOf = (head) => new DataView(head.buffer, head.byteOffset).getBigUint64(0, true);

/** The tree of a file. */
export async function readSafetensors(file) {
  const container = { format: "safetensors", version: null, store: "file", consolidated: false };
  const tree = new Tree(container);
  const length = Number(lengthOf(await file.read(0, 9)));
  try {
    if (length > LIMIT) throw new Unreadable("over-limit", `a header of ${length} bytes`);
    const { __metadata__: metadata = Object.create(null), ...tensors } = documentOf(await file.read(8, length), { depth: 34 });
    if (!isObject(metadata) || !Object.values(metadata).every(isText)) throw new Unreadable("metadata-invalid", "__metadata__ maps names to texts");
    const data = { file, start: 8 + length, size: file.size - 8 - length };
    const items = Object.keys(tensors).map((name) => itemOf(name, tensors[name], data));
    const readings = readingsOf(items, data.size);
    if (readings.length) container.readings = readings;
    assemble(tree, items.filter(({ outside }) => !outside), ...accountsBy(metadata));
    for (const { steps, outside } of items) if (outside) tree.add("/", steps.join("/"), unreadable("metadata-invalid", "a name that leads out of the archive"));
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    tree.nodes.clear();
    tree.add(null, null, unreadable(error.reason, error.message));
  }
  return tree;
}

function accountsBy(metadata) {
  if (metadata[DOCUMENT] === undefined) return [new Map(), { attributes: metadata }];
  try {
    const document = parse(metadata[DOCUMENT], 34);
    if (!isObject(document)) throw new Unreadable("metadata-malformed", "expected an object");
    return [accountsOf(document), {}];
  } catch (error) {
    return [new Map(), { failure: failureOf(error) }];
  }
}

function itemOf(name, tensor, data) {
  const steps = (name.startsWith("/") ? name.slice(1) : name).split("/");
  const offsets = isObject(tensor) ? tensor.data_offsets : null;
  const range = Array.isArray(offsets) && offsets.length === 2 && offsets.every(isWhole) ? offsets.map(Number) : null;
  return { steps, outside: !isInside(steps), range, make: (account) => made(name, tensor, range, data, account) };
}

function made(name, tensor, range, { file, start, size }, { axes, attributes: raw }) {
  if (!isObject(tensor) || !isText(tensor.dtype) || !range || range[0] > range[1]) throw new Unreadable("metadata-invalid", "a tensor without dtype and data_offsets");
  for (const key of Object.keys(tensor)) if (!["dtype", "shape", "data_offsets"].includes(key)) throw new Unreadable("metadata-invalid", `the field ${key}`);
  const shape = shapeOf(tensor.shape);
  if (!Object.hasOwn(TYPES, tensor.dtype)) throw new Unreadable("unsupported", `the data type ${tensor.dtype}`);
  const type = { dtype: TYPES[tensor.dtype], size: SIZES[TYPES[tensor.dtype]] ?? 1, big: false };
  if (product(shape) * type.size !== range[1] - range[0]) throw new Unreadable("metadata-invalid", "data_offsets of another size than the values");
  if (range[1] > size) return { node: unreadable("damaged", "the values end behind the file") };
  const node = array({ dtype: type.dtype, shape, bytes: product(shape) * type.size, raw, ...axesOf(axes, shape.length) });
  const load = () => file.read(start + range[0], range[1] - range[0]);
  return { node, source: { readable: Object.hasOwn(SIZES, type.dtype), read: () => blockValues(load, { shape, type, key: name }) } };
}

/** What is wrong where values do not follow one another to the end of the file. */
function readingsOf(items, size) {
  const ranges = items.map(({ range }) => range).filter((range) => range).sort(([a, b], [c, d]) => a - c || b - d);
  let at = 0;
  for (const [begin, end] of ranges) {
    if (begin !== at) return [`expected values at ${at}, found them at ${begin}`];
    at = end;
  }
  return at < size ? ["bytes behind the values"] : [];
}
