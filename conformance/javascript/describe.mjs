// From a tree to the description of an archive, with the facts about its values where they are asked for.

import { derived, scopedKey } from "./derived.mjs";
import { factsOf } from "./facts.mjs";

/** The description of a tree; `entries` are those of `facts.json`, null where values are not read. */
export async function describe(tree, entries = null) {
  const whole = derived({ container: tree.container, values: entries ? "read" : "not_read", nodes: tree.described() });
  if (!entries) return whole;
  const load = loader(tree, whole.nodes);
  for (const [path, source] of tree.sources) {
    const node = whole.nodes[path];
    if (node?.kind !== "array" || !source.readable) continue;
    const array = await load(path);
    const axes = { sizes: whole.axes, keyOf: (axis) => scopedKey(whole.nodes, path, axis) };
    const measured = array.bytes ? await factsOf(path, array, entries, load, axes) : {};
    node.facts = { ...measured, ...array.counted };
  }
  return whole;
}

const KEPT = 8;
const BYTES = 256 << 20;

/** Reads arrays by path, and keeps the last few, as far as they are not large. */
function loader(tree, nodes) {
  const kept = new Map();
  return async (path) => {
    const source = tree.sources.get(path);
    if (!source?.readable || nodes[path]?.kind !== "array") return null;
    if (!kept.has(path)) {
      const own = await read(source, nodes[path]);
      kept.set(path, own);
      const total = () => [...kept.values()].reduce((sum, { bytes }) => sum + (bytes?.length ?? 0), 0);
      while (kept.size > KEPT || (kept.size && total() > BYTES)) kept.delete(kept.keys().next().value);
      return own;
    }
    return kept.get(path);
  };
}

async function read(source, node) {
  const { bytes, flags = null, damage = [], absent, absentKeys = [], stray = [], shape } = await source.read();
  const counted = {
    damaged_chunks: damage, absent_chunks: absent ?? 0, ...(absentKeys.length && { absent_keys: absentKeys }), ...(stray.length && { stray }),
  };
  return { node: shape ? { ...node, shape } : node, bytes, flags: bytes ? flags : null, counted };
}
