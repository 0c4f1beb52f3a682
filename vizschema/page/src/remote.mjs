// An archive at a URL as entries of the reference reader. A file needs ranges, or at most 64 MiB; a Zarr folder needs its consolidated
// metadata, as nothing lists a folder over HTTP. Redirects are refused: nothing but the URL that was given is asked.

import { canonical, documentOf, isObject, Unreadable } from "../../../conformance/javascript/json.mjs";
import { Blocks } from "./blocks.mjs";

const WHOLE = 64 << 20;
const CHUNK = 512 << 20;
const HEAD = 1 << 16;
const BLOCKS = { block: 1 << 14, count: 64 };
const HDF5 = [137, 72, 68, 70, 13, 10, 26, 10];
const UNSATISFIED = 416;
const MISSING = new Set([403, 404, 410]);
const mib = (bytes) => `${Math.ceil(bytes / (1 << 20))} MiB`;

async function asked(url, more = {}, also = null) {
  let answer;
  try {
    answer = await fetch(url, { credentials: "omit", redirect: "error", referrerPolicy: "no-referrer", ...more });
  } catch {
    throw new Error("expected an answer that this page may read, found none: the server is not reached, redirects, or does not allow other sites (CORS)");
  }
  if (!answer.ok && !MISSING.has(answer.status) && answer.status !== also) throw new Error(`expected an answer, found the status ${answer.status}`);
  return answer;
}

/** The body of an answer; throws where it is longer than `most` bytes. */
async function bodyOf(answer, most, onRead, words = "") {
  const length = Number(answer.headers.get("Content-Length") ?? 0);
  const parts = [];
  let size = 0;
  const reader = answer.body.getReader();
  for (;;) {
    if (size > most || length > most) {
      reader.cancel().catch(() => {}); // the connection may have ended already
      throw new Error(`expected at most ${mib(most)}, found ${length ? mib(length) : "more"}${words}`);
    }
    const { done, value } = await reader.read();
    if (done) break;
    parts.push(value);
    size += value.length;
    onRead(value.length, false);
  }
  const bytes = new Uint8Array(size);
  parts.reduce((at, part) => (bytes.set(part, at), at + part.length), 0);
  onRead(0);
  return bytes;
}

async function document(url, onRead) {
  const answer = await asked(url);
  if (answer.ok) return bodyOf(answer, WHOLE, onRead);
  onRead(0);
  return null;
}

class Kept {
  constructor(name, bytes) {
    Object.assign(this, { name, bytes, type: "file", size: bytes.length });
  }

  async read(start = 0, length = this.size - start) {
    return this.bytes.subarray(start, Math.max(start, start + length));
  }
}

class Ranged {
  constructor(name, url, size, head, onRead) {
    Object.assign(this, { name, url, size, head, onRead, type: "file" });
    this.blocks = new Blocks(size, (start, end) => this.range(start, end), BLOCKS);
  }

  async read(start = 0, length = this.size - start) {
    const end = Math.min(this.size, start + Math.max(0, length));
    if (start >= end) return new Uint8Array(0);
    if (end <= this.head.length) return this.head.subarray(start, end);
    return this.blocks.read(start, end);
  }

  async range(start, end) {
    if (end - start > CHUNK) throw new Error(`expected at most ${mib(CHUNK)} at once, found ${mib(end - start)}: download the file, and drop it here`);
    const answer = await asked(this.url, { headers: { Range: `bytes=${start}-${end - 1}` } });
    if (answer.status !== 206) throw new Error(`expected a part of the file, found the status ${answer.status}`);
    const bytes = await bodyOf(answer, end - start, this.onRead);
    if (bytes.length !== end - start) throw new Error(`expected ${end - start} bytes, found ${bytes.length}`);
    return bytes;
  }
}

class Folder {
  constructor(name, url, onRead) {
    const find = async (key) => {
      const own = new URL(`${url.pathname}/${key.split("/").map(encodeURIComponent).join("/")}${url.search}`, url);
      return new Chunk(own, onRead);
    };
    Object.assign(this, { name, url, onRead, type: "folder", size: 0, members: Object.assign(new Map(), { find }) });
  }

  async list() {
    return this.members;
  }

  inner(name) {
    const url = new URL(`${this.url.pathname}/${encodeURIComponent(name)}${this.url.search}`, this.url);
    if (this.members.get(name)?.type !== "folder") this.members.set(name, new Folder(name, url, this.onRead));
    return this.members.get(name);
  }
}

/** A chunk, of which the size is not known before it is asked for. */
class Chunk {
  constructor(url, onRead) {
    Object.assign(this, { url, onRead, type: "file" });
  }

  /** All bytes, or those from `start`; null where it is absent. */
  async read(start, length) {
    if (start !== undefined) return (await this.range(`${start}-${start + length - 1}`, start, length)).bytes;
    const answer = await asked(this.url);
    if (answer.ok) return bodyOf(answer, CHUNK, this.onRead);
    this.onRead(0);
    return null;
  }

  /** The first or the last bytes, and the size of the whole: {bytes, size}; null where it is absent. */
  async edge(length, atStart) {
    const found = await this.range(atStart ? `0-${length - 1}` : `-${length}`, atStart ? 0 : -length, length);
    return found.bytes && Number.isNaN(found.size) ? this.withSize(found.bytes) : found.bytes && found;
  }

  /** A range; a server that gives the whole chunk instead is asked once. */
  async range(words, start, length) {
    const cut = (bytes) => ({ bytes: start < 0 ? bytes.slice(start) : bytes.slice(start, start + length), size: bytes.length });
    if (this.whole) return cut(this.whole);
    const answer = await asked(this.url, { headers: { Range: `bytes=${words}` } }, UNSATISFIED);
    if (answer.status === 200) return cut((this.whole = await bodyOf(answer, CHUNK, this.onRead)));
    if (answer.status !== 206) this.onRead(0);
    if (answer.status === UNSATISFIED) return { bytes: new Uint8Array(0), size: 0 };
    if (answer.status !== 206) return { bytes: null, size: 0 };
    const size = Number(/[/]([0-9]+)$/.exec(answer.headers.get("Content-Range") ?? "")?.[1] ?? NaN);
    const bytes = await bodyOf(answer, length, this.onRead);
    return { bytes, size };
  }

  /** Bytes with the size of the whole, where an answer does not say it to pages of other sites. */
  async withSize(bytes) {
    const length = (await asked(this.url, { method: "HEAD" })).headers.get("Content-Length");
    if (length === null) throw new Error("expected the size of a chunk, found none: download the archive, and drop it here");
    return { bytes, size: Number(length) };
  }
}

async function fileAt(url, name, onRead) {
  const answer = await asked(url, { headers: { Range: `bytes=0-${HEAD - 1}` } });
  if (!answer.ok) throw new Error(`expected an archive, found the status ${answer.status}`);
  if (answer.status !== 206) return new Kept(name, await bodyOf(answer, WHOLE, onRead, ", from a server without ranges: download the file, and drop it here"));
  const total = /[/]([0-9]+)$/.exec(answer.headers.get("Content-Range") ?? "")?.[1];
  const head = await bodyOf(answer, HEAD, onRead);
  if (HDF5.every((byte, at) => head[at] === byte) && Number(total ?? WHOLE + 1) > WHOLE) throw new Error(`expected HDF5 of at most ${mib(WHOLE)} by URL, as it is read whole: download the file, and drop it here`);
  if (total !== undefined) return new Ranged(name, url, Number(total), head, onRead);
  if (head.length < HEAD) return new Kept(name, head);
  const length = (await asked(url, { method: "HEAD" })).headers.get("Content-Length");
  if (length === null) throw new Error("expected the size of the file, found none: download the file, and drop it here");
  return new Ranged(name, url, Number(length), head, onRead);
}

const put = (folder, name, bytes) => folder.members.set(name, new Kept(name, bytes));

/** The documents of a copy: [path, name, document]. */
function documentsOf(bytes, version) {
  const document = documentOf(bytes, { limit: WHOLE, depth: 34 });
  const copy = version === 3 ? document.consolidated_metadata?.metadata : document.metadata;
  if (!isObject(copy)) return null;
  return Object.entries(copy).map(([key, value]) => {
    const steps = key.split("/");
    return version === 3 ? [steps, "zarr.json", value] : [steps.slice(0, -1), steps.at(-1), value];
  });
}

const isInner = (step) => step !== "" && step !== "." && step !== "..";

/** Puts the documents of a copy into folders; false where there is no copy. A document that cannot be parsed is left to the reader. */
function fill(root, bytes, version) {
  let documents;
  try {
    documents = documentsOf(bytes, version);
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    return true;
  }
  for (const [steps, name, value] of documents ?? []) {
    if (!steps.every(isInner)) continue;
    let folder = root;
    for (const step of steps) folder = folder.inner(step);
    put(folder, name, new TextEncoder().encode(canonical(value)));
  }
  return documents !== null;
}

const UNLISTED = "this group has no consolidated metadata, and its members cannot be listed over HTTP: write consolidated metadata, or download the archive and drop it here";

async function folderAt(url, name, onRead) {
  const root = new Folder(name, url, onRead);
  const at = (document) => new URL(`${url.pathname}/${document}${url.search}`, url);
  const current = await document(at("zarr.json"), onRead);
  if (current) {
    put(root, "zarr.json", current);
    if (!fill(root, current, 3) && !isArray(current)) throw new Error(UNLISTED);
    return root;
  }
  const copy = await document(at(".zmetadata"), onRead);
  if (copy) {
    fill(root, copy, 2);
    put(root, ".zmetadata", copy);
    return root;
  }
  for (const each of [".zarray", ".zattrs"]) {
    const found = await document(at(each), onRead);
    if (!found && each === ".zarray") return null;
    if (found) put(root, each, found);
  }
  return root;
}

function isArray(bytes) {
  try {
    return documentOf(bytes, { limit: WHOLE, depth: 34 }).node_type === "array";
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    return true; // the reader says what is wrong
  }
}

/** The name and the root of the archive at a URL. */
export async function remote(text, onRead) {
  const url = new URL(text);
  if (url.protocol !== "https:" && url.protocol !== "http:") throw new Error(`expected https, found ${url.protocol}`);
  if (url.username || url.password) throw new Error("expected a URL without a user and a password");
  url.hash = "";
  url.pathname = url.pathname.replace(/[/]+$/, "");
  const name = decodeURIComponent(url.pathname.split("/").at(-1)) || url.host;
  const isFile = /[.](zip|npz|h5|hdf5|nc|nc4|asdf|safetensors)$/i.test(url.pathname);
  const root = (isFile ? null : await folderAt(url, name, onRead)) ?? (await fileAt(url, name, onRead));
  return { name, root };
}
