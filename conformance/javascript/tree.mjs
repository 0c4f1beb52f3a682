// The tree that a container is read into: nodes by their path, and where the values of arrays come from.

import { Damaged } from "./damage.mjs";
import { Unreadable } from "./json.mjs";
import { ambiguous, attributesOf, escaped, escapedName } from "./text.mjs";

const LEAST = { nodes: 100_000, depth: 64 };
const SHOWN = 16;

/** The archive as it is read: `container` of the description, `nodes` by path, and `sources` of values by the path of an array. */
export class Tree {
  constructor(container) {
    this.container = container;
    this.nodes = new Map();
    this.sources = new Map();
    this.names = new Map();
    this.stray = new Map();
  }

  /** Adds a node below a path, by its raw name (null for the root), and gives its path. */
  add(parent, name, node) {
    const shown = name === null ? "/" : escapedName(name);
    const path = name === null ? "/" : `${parent === "/" ? "" : parent}/${shown}`;
    const places = [...(name === null || shown === name ? [] : ["name"]), ...(node.escaped ?? [])];
    if (name !== null) pushTo(this.names, parent, shown);
    this.nodes.set(path, { ...node, ...(places.length && { escaped: places }) });
    return path;
  }

  /** Notes a name in a group that is not part of the format. */
  addStray(path, name) {
    pushTo(this.stray, path, escapedName(name));
  }

  /** Whether there is no space for another node. */
  get full() {
    return this.nodes.size >= LEAST.nodes * 10;
  }

  /** The nodes of the description, by path. */
  described() {
    for (const [path, names] of this.names) {
      const found = ambiguous(names);
      const node = this.nodes.get(path);
      if (found.length && node?.kind === "group") node.ambiguous = found;
    }
    for (const [path, names] of this.stray) {
      const node = this.nodes.get(path);
      if (node?.kind === "group") node.stray = names.sort().slice(0, SHOWN);
    }
    return this.nodes;
  }
}

const pushTo = (lists, key, value) => {
  if (!lists.has(key)) lists.set(key, []);
  lists.get(key).push(value);
};

export const DEPTH = LEAST.depth;

/** A node that was not followed, opened or read. */
export const left = (kind, reason, detail = reason) => ({ kind, reason, detail: escaped(String(detail)).slice(0, 500) });
export const unreadable = (reason, detail) => left("unreadable", reason, detail);

/** The node in place of one that cannot be read. */
export function failureOf(error) {
  if (error instanceof Unreadable) return unreadable(error.reason, error.message);
  if (error instanceof Damaged) return unreadable("damaged", error.message);
  throw error;
}

/** A group with its raw attributes. */
export const group = (raw = {}, refused) => ({ kind: "group", members: 0, ...attributesOf(raw, refused) });

/** An array: `axes` are raw names or null, `storage` that of the description. */
export function array({ dtype, shape, bytes, axes, raw = {}, refused, storage = null, detail }) {
  const fields = attributesOf(raw, refused);
  const stored = fields.attributes.stored_dtype;
  const names = axes === null || (axes.length && axes.every((axis) => axis === null)) ? null : axes.map((axis) => (axis === null ? null : escaped(axis)));
  const places = [...(fields.escaped ?? []), ...(names?.some((axis, at) => axis !== axes[at]) ? ["axes"] : [])];
  delete fields.attributes.stored_dtype;
  const node = {
    kind: "array", dtype: storedAs(dtype, stored), shape, bytes, axes: shape.length ? names : [], roles: {}, storage: storage && named(storage, shape, names),
    ...fields, ...(places.length && { escaped: places }), ...(detail && { axes_detail: detail }),
  };
  if (stored !== undefined && storedAs(dtype, stored) === dtype && dtype !== stored) node.attributes.stored_dtype = stored;
  return node;
}

const BITS = {
  uint16: ["bfloat16"], uint8: ["float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", "int4", "uint4"],
};
const storedAs = (dtype, stored) => (BITS[dtype]?.includes(stored) ? stored : dtype);

/** The storage of an array with the lengths of chunks by the names of axes, and along which there is more than one. */
function named(storage, shape, axes) {
  const whole = axes !== null && new Set(axes).size === shape.length && !axes.includes(null);
  const chunk_of = whole || !shape.length ? Object.fromEntries((axes ?? []).map((axis, at) => [axis, storage.chunks[at]])) : null;
  const split = chunk_of && (axes ?? []).filter((_, at) => shape[at] > storage.chunks[at]);
  return { ...storage, chunk_of, split };
}
