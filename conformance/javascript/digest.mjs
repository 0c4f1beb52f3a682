// The digest of an archive, by spec/1.0.0/digest.md.

import { blake3, hex, joined } from "./blake3.mjs";
import { describe } from "./describe.mjs";
import { canonical } from "./json.mjs";

const BLOCK = 1 << 20;
const FAN_OUT = 1024;

const hashOf = (value) => blake3(new TextEncoder().encode(canonical(value)));

/** The parts of a list, of `size` entries each but the last one. */
export const cut = (list, size) => Array.from({ length: Math.ceil(list.length / size) }, (_, at) => list.slice(at * size, (at + 1) * size));

/** The one hash that remains of a level. */
export const root = (hashes) => (hashes.length > 1 ? root(cut(hashes, FAN_OUT).map((run) => blake3(joined(run)))) : hashes[0] ?? blake3(new Uint8Array()));

/** The hashes of the blocks of the bytes of an array. */
export const blocksOf = (bytes) => cut(bytes, BLOCK).map(blake3);

/** The hash over all of a list of hashes, in whatever order they are. */
export const over = (hashes) => hex(blake3(joined([...hashes].sort((one, other) => (hex(one) < hex(other) ? -1 : 1)))));

/**
 * The digest of an archive with these nodes, by path, of which arrays have the hash of their `values` in hexadecimal digits:
 * {hashes, digest, values_digest}.
 */
export function digestOf(nodes) {
  const paths = Object.keys(nodes);
  const hashes = Object.fromEntries(paths.map((path) => [path, hashOf({ ...nodes[path], path })]));
  const arrays = paths.filter((path) => nodes[path].kind === "array");
  const alone = arrays.map((path) => {
    const { attributes: _, ...bare } = nodes[path];
    return hashOf({ ...bare, path });
  });
  return { hashes, digest: `vz1:blake3:${over(Object.values(hashes))}`, values_digest: `vz1-values:blake3:${over(alone)}` };
}

/** The digest of an open archive; throws where it has none. */
export async function digestOfTree(tree) {
  const { nodes } = await describe(tree);
  const parts = {};
  for (const [path, node] of Object.entries(nodes)) {
    if (node.kind !== "group" && node.kind !== "array") throw new Error(`${path}: ${node.reason}: an archive with such a node has no digest`);
    for (const field of ["escaped", "unsupported"]) if (node[field]) throw new Error(`${path}: ${field}: an archive with such a node has no digest`);
    parts[path] = node.kind === "group" ? { kind: "group", attributes: node.attributes } : await arrayOf(path, node, tree.sources.get(path));
  }
  return digestOf(parts).digest;
}

async function arrayOf(path, { dtype, shape, axes, attributes }, source) {
  if (!source?.readable) throw new Error(`${path}: values of ${dtype} have no digest`);
  const { bytes, damage = [] } = await source.read();
  if (damage.length || !bytes) throw new Error(`${path}: ${damage[0]?.key} is damaged: ${damage[0]?.detail}`);
  const values = dtype === "int4" || dtype === "uint4" ? bytes.map((byte) => byte & 15) : bytes;
  return { kind: "array", dtype, shape, axes, attributes, values: hex(root(blocksOf(values))) };
}
