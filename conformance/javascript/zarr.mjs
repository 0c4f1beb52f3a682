// Archives of Zarr, of both versions, in a folder or in a zip file: the walk over their tree.

import { innerOf } from "./chain.mjs";
import { gridOf, product } from "./grid.mjs";
import { canonical, documentOf, isObject, Unreadable } from "./json.mjs";
import { array, DEPTH, failureOf, group, left, Tree, unreadable } from "./tree.mjs";
import { arrayOf } from "./zarr2.mjs";
import { nodeOf } from "./zarr3.mjs";
import { valuesOf } from "./zarr_values.mjs";

const DOCUMENT = 4 << 20;
const COPY = 64 << 20;
const SEARCHED = 1000;
const DOCUMENTS = { 3: ["zarr.json"], 2: [".zarray", ".zgroup", ".zattrs"] };
const ALL = new Set([...DOCUMENTS[2], ...DOCUMENTS[3], ".zmetadata"]);
const CONVENTION = "9653e1da-d78e-4922-a8ca-adfb5364061a";

/** Which version a folder with these entries is the root of; null where it is none. */
export async function versionOf(entries) {
  if (entries.has("zarr.json")) return 3;
  if (DOCUMENTS[2].some((name) => entries.has(name))) return 2;
  return (await holdsNodes(entries, { left: SEARCHED })) ? 3 : null;
}

/** The tree of an archive, from the folder that is its root. */
export async function readZarr(root, store, { outside = [], readings = [] } = {}) {
  const entries = await root.list();
  const version = await versionOf(entries);
  const tree = new Tree({ format: "zarr", version, store, consolidated: false, ...(readings.length && { readings }) });
  const walk = { tree, version, documents: new Map(), copy: null };
  await visit(walk, { parent: null, name: null, entry: root, depth: 0 }, entries);
  if (walk.copy) compareCopy(walk);
  for (const name of outside) addOutside(tree, name);
  return tree;
}

/** A member of a zip file whose name leads out of the archive: a node by its name. */
function addOutside(tree, name) {
  const node = unreadable("metadata-invalid", "a name that leads out of the archive");
  const [, drive, rest] = /^([A-Za-z]:)[/](.*)[/][^/]*$/s.exec(name) ?? [];
  if (drive) tree.add(`/${drive}`, rest, node);
  else tree.add("/", name, node);
}

async function visit(walk, place, entries) {
  const { tree } = walk;
  const here = await nodeAt(walk, place, entries);
  const path = tree.add(place.parent, place.name, here.node);
  walk.documents.set(path, here.documents);
  if (here.found?.kind === "array") tree.sources.set(path, here.source);
  if (here.node.reason === "metadata-missing") return below(walk, { path, depth: place.depth }, entries);
  if (here.node.kind !== "group") return;
  for (const [name, entry] of [...entries].sort(([one], [other]) => (one < other ? -1 : 1))) {
    if (ALL.has(name)) continue;
    await child(walk, { parent: path, name, entry, depth: place.depth + 1 });
  }
}

async function child(walk, place) {
  const { entry, parent, name } = place;
  const { tree } = walk;
  if (entry.type.endsWith("link")) tree.add(parent, name, left("link", entry.type));
  else if (entry.type === "special") tree.add(parent, name, left("object", "special-file"));
  else if (entry.type !== "folder") tree.addStray(parent, name); // a file
  else if (place.depth > DEPTH) tree.add(parent, name, unreadable("over-limit", "too deep"));
  else if (tree.full) throw new Error("over-limit");
  else {
    const entries = await entry.list();
    if ([...entries.keys()].some((each) => ALL.has(each))) await visit(walk, place, entries);
    else if (await holdsNodes(entries, { left: SEARCHED })) {
      const path = tree.add(parent, name, unreadable("metadata-missing", "no metadata document"));
      await below(walk, { path, depth: place.depth }, entries);
    } else tree.addStray(parent, name);
  }
}

/** The nodes in a folder without a document; what is named like a part of a key of a chunk is none. */
async function below(walk, { path, depth }, entries) {
  for (const [name, entry] of [...entries].sort(([one], [other]) => (one < other ? -1 : 1)))
    if (entry.type === "folder" && !/^(c|[0-9]+)$/.test(name)) await child(walk, { parent: path, name, entry, depth: depth + 1 });
}

/** Whether there are chunks or nodes somewhere in a folder without a document. */
async function holdsNodes(entries, budget) {
  for (const [name, entry] of entries) {
    if (ALL.has(name) || (entry.type === "file" && isKey(name))) return true;
    if (entry.type === "folder" && budget.left-- > 0 && (await holdsNodes(await entry.list(), budget))) return true;
  }
  return false;
}

const isKey = (name) => /^(c[.])?[0-9]+([.][0-9]+)*$/.test(name);

/** The node of a folder with documents: {node, found, source, documents}. */
async function nodeAt(walk, { name }, entries) {
  const kept = {};
  try {
    const blocked = [...ALL].map((each) => entries.get(each)).find((entry) => entry && (entry.type.endsWith("link") || entry.type === "special"));
    if (blocked) return { node: blocked.type === "special" ? left("object", "special-file") : left("link", blocked.type), documents: kept };
    const other = [...ALL].find((each) => entries.has(each) && (each === "zarr.json") === (walk.version === 2));
    if (other) throw new Unreadable("metadata-conflict", `${other}: a document of another version`);
    if (walk.version === 3 && !entries.has("zarr.json")) throw new Unreadable("metadata-missing", "no metadata document");
    const found = walk.version === 3 ? await node3(walk, entries, kept, name === null) : await node2(walk, entries, kept, name === null);
    const raw = registered(found.attributes, name === null);
    if (found.kind === "group") return { node: group(raw), found, documents: kept };
    if (found.pickled) return { node: left("object", "pickle"), documents: kept };
    return { node: arrayNode(found, raw), found, source: valuesOf(found, entries), documents: kept };
  } catch (error) {
    return { node: failureOf(error), documents: kept };
  }
}

async function read(entry, kept, name, limit = DOCUMENT) {
  if (entry.type === "twice") throw new Unreadable("metadata-conflict", "two members of one name");
  if (entry.type !== "file") throw new Unreadable("metadata-invalid", "the document is not a file");
  if (entry.size > limit) throw new Unreadable("over-limit", `a document of ${entry.size} bytes`);
  return (kept[name] = documentOf(await entry.read(), { limit, depth: limit === COPY ? 34 : 32 }));
}

async function node3(walk, entries, kept, isRoot) {
  const document = await read(entries.get("zarr.json"), kept, "zarr.json", isRoot ? COPY : DOCUMENT);
  const found = nodeOf(document);
  kept.found = found;
  const copy = document.consolidated_metadata;
  if (isRoot && copy !== undefined && copy !== null) {
    if (!isObject(copy)) throw new Unreadable("metadata-invalid", "consolidated_metadata is not an object");
    if (copy.kind !== "inline") throw new Unreadable("unsupported", "consolidated_metadata of another kind");
    if (!isObject(copy.metadata)) throw new Unreadable("metadata-invalid", "consolidated_metadata without metadata");
    walk.copy = copyOf(Object.entries(copy.metadata).map(([key, value]) => [key, "zarr.json", value]));
    walk.tree.container.consolidated = true;
  }
  return found;
}

async function node2(walk, entries, kept, isRoot) {
  const has = (name) => entries.has(name);
  if (has(".zarray") && has(".zgroup")) throw new Unreadable("metadata-conflict", "an array that is a group too");
  if (!has(".zarray") && !has(".zgroup")) throw new Unreadable("metadata-missing", "attributes alone");
  for (const name of DOCUMENTS[2]) if (has(name)) await read(entries.get(name), kept, name);
  const attributes = kept[".zattrs"] ?? {};
  if (!isRoot && has(".zmetadata")) throw new Unreadable("metadata-invalid", "a copy below the root");
  if (has(".zmetadata")) await copy2(walk, entries.get(".zmetadata"));
  if (kept[".zarray"]) return (kept.found = arrayOf(kept[".zarray"], attributes));
  if (kept[".zgroup"].zarr_format !== 2) throw new Unreadable("metadata-invalid", "zarr_format is not 2");
  return { kind: "group", attributes };
}

async function copy2(walk, entry) {
  if (entry.type.endsWith("link") || entry.type === "special") throw new Unreadable("metadata-invalid", "a copy that is not a file");
  const copy = await read(entry, {}, ".zmetadata", COPY);
  if (copy.zarr_consolidated_format !== 1 || !isObject(copy.metadata)) throw new Unreadable("metadata-invalid", "a copy of an unknown format");
  walk.copy = copyOf(Object.entries(copy.metadata).map(([key, value]) => {
    const [, path, name] = /^(?:(.*)[/])?([^/]*)$/s.exec(key);
    if (!DOCUMENTS[2].includes(name)) throw new Unreadable("metadata-invalid", `the copy lists ${key}`);
    return [path ?? "", name, value];
  }));
  walk.tree.container.consolidated = true;
}

/** The documents of a copy: path → name → document. */
function copyOf(documents) {
  const copy = new Map();
  for (const [key, name, value] of documents) {
    const steps = key === "" ? [] : key.split("/");
    if (steps.some((step) => step === "" || step === "." || step === "..") || !isObject(value)) throw new Unreadable("metadata-invalid", `the copy lists ${key}`);
    const path = `/${key}`;
    copy.set(path, { ...copy.get(path), [name]: value });
  }
  return copy;
}

/** Makes a conflict of each node of which the copy and the document differ. */
function compareCopy({ tree, copy, documents, version }) {
  for (const path of copy.keys()) {
    if (documents.has(path)) continue;
    if (tree.nodes.has(path)) continue;
    const at = path.lastIndexOf("/");
    tree.add(path.slice(0, at) || "/", path.slice(at + 1), unreadable("metadata-conflict", "the copy alone has it"));
  }
  for (const [path, own] of documents) {
    const node = tree.nodes.get(path);
    if (path === "/" && version === 3) continue;
    if ((node.kind !== "group" && node.kind !== "array") || canonical(meaning(own, version)) === canonical(meaning(copy.get(path), version))) continue;
    tree.nodes.set(path, { ...unreadable("metadata-conflict", "the copy differs"), ...(node.escaped?.includes("name") && { escaped: ["name"] }) });
    tree.sources.delete(path);
  }
}

/** What documents say once every default is filled in. */
function meaning(documents, version) {
  if (!documents) return null;
  try {
    const found = version === 3 ? nodeOf(documents["zarr.json"]) : documents[".zarray"] ? arrayOf(documents[".zarray"], documents[".zattrs"] ?? {}) : null;
    if (!found) return { group: documents[".zgroup"], attributes: documents[".zattrs"] ?? {} };
    const raw = documents["zarr.json"] ?? documents[".zarray"];
    const { codecs = [], compressor = null, filters } = raw;
    return {
      ...found, chain: null, pickled: null, fill: found.fill && [...found.fill], given: found.fill ? null : (raw.fill_value ?? null),
      dtype: raw.data_type ?? raw.dtype ?? null, codecs: codecs.map(settled), compressor: compressor && settled(compressor), filters: (filters ?? []).map(settled), order: raw.order ?? null,
    };
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    return { unreadable: documents };
  }
}

const DEFAULTS = {
  zstd: { level: 0, checksum: false }, zlib: { level: 1 }, gzip: { level: 1 }, bz2: { level: 1 }, lz4: { acceleration: 1 }, sharding_indexed: { index_location: "end" },
  blosc: { typesize: null, blocksize: 0 }, lzma: { format: 1, check: -1, preset: null, filters: null },
};

/** A codec with its defaults. */
function settled(codec) {
  const name = codec.name ?? codec.id;
  const given = codec.configuration ?? (codec.id === undefined ? {} : codec);
  const full = { ...(Object.hasOwn(DEFAULTS, name) ? DEFAULTS[name] : {}), ...given, name };
  for (const key of ["codecs", "index_codecs"]) if (Array.isArray(full[key])) full[key] = full[key].map(settled);
  return full;
}

/** Attributes without the entry of this specification in `zarr_conventions` of the root. */
function registered(attributes, isRoot) {
  const listed = attributes.zarr_conventions;
  if (!isRoot || !Array.isArray(listed)) return attributes;
  const others = listed.filter((entry) => !isObject(entry) || entry.uuid !== CONVENTION);
  if (others.length === listed.length) return attributes;
  const copy = Object.assign(Object.create(null), attributes);
  if (others.length) copy.zarr_conventions = others;
  else delete copy.zarr_conventions;
  return copy;
}

function arrayNode({ shape, type, chunk, chain, axes, detail }, raw) {
  const inner = innerOf(chain, chunk);
  const storage = {
    chunks: inner, chunk_of: null, split: null, chunk_bytes: product(inner) * type.size, chunk_count: product(gridOf(shape, inner)),
    shards: chain.shard && { shape: chunk, bytes: product(chunk) * type.size, count: product(gridOf(shape, chunk)) }, codecs: chain.names,
  };
  return array({ dtype: type.dtype, shape, bytes: product(shape) * type.size, axes, raw, storage, detail });
}
