// What the positions along axes of an array are called: letters of a sequence, tokens of a text, or numbers of a coordinate.

import { isNumber } from "./numbers.mjs";

const MOST = 4 << 20;
/** Axes by the arrays of the standard that name their positions: one ASCII code each, or the number of a token in each sample. */
const LETTERS = { residue: "/inputs/sequence" };
const TOKENS = { token: { ids: "/inputs/token", vocabulary: "/inputs/vocabulary" } };

const fits = (node, axes, size) => node?.kind === "array" && isNumber(node.dtype) && node.bytes <= MOST && axes.every((axis, at) => node.axes?.[at] === axis) && node.axes?.length === axes.length && node.shape.at(-1) === size;

/** The coordinate of an axis that is nearest to an array; null where there is none. */
function coordinateOf(path, axis, size, nodes) {
  for (let above = path; above; ) {
    above = above.slice(0, above.lastIndexOf("/"));
    const found = `${above}/${axis}`;
    if (fits(nodes[found], [axis], size) && nodes[found].coordinate) return found;
  }
  return null;
}

/** The text of each token of a vocabulary by its number; empty where there is none that can be read. */
async function vocabularyOf(folder, nodes, read) {
  const parts = ["id", "start", "bytes"].map((name) => `${folder}/${name}`);
  if (!parts.every((path) => nodes[path]?.kind === "array" && nodes[path].shape.length === 1 && isNumber(nodes[path].dtype) && nodes[path].bytes <= MOST)) return new Map();
  const [ids, starts, bytes] = [await read(parts[0]), await read(parts[1]), Uint8Array.from(await read(parts[2]))];
  const decoder = new TextDecoder();
  return new Map(Array.from(ids, (id, at) => [id, decoder.decode(bytes.subarray(starts[at], starts[at + 1] ?? bytes.length))]));
}

async function ofAxis(path, axis, size, nodes, read) {
  const letters = Object.hasOwn(LETTERS, axis) ? LETTERS[axis] : null;
  if (letters && fits(nodes[letters], [axis], size)) return { texts: Array.from(await read(letters), (code) => String.fromCharCode(code)), along: null };
  const tokens = Object.hasOwn(TOKENS, axis) ? TOKENS[axis] : null;
  if (tokens && fits(nodes[tokens.ids], ["sample", axis], size)) {
    const vocabulary = await vocabularyOf(tokens.vocabulary, nodes, read);
    return { texts: Array.from(await read(tokens.ids), (id) => vocabulary.get(id) ?? `#${id}`), along: "sample" };
  }
  const coordinate = coordinateOf(path, axis, size, nodes);
  return coordinate ? { texts: Array.from(await read(coordinate), String), along: null } : null;
}

/** For each axis of the array at a path null, or {texts, along}: a text for each position, one after the other for each index along the axis `along`. */
export async function labelsOf(path, nodes, read) {
  const { axes, shape } = nodes[path];
  const found = new Map();
  const labels = [];
  for (const [at, name] of (axes ?? []).entries()) {
    const axis = name?.split(":")[0];
    const key = `${axis} ${shape[at]}`;
    if (axis && !found.has(key)) found.set(key, await ofAxis(path, axis, shape[at], nodes, read));
    labels.push(found.get(key) ?? null);
  }
  return labels;
}
