// Files and folders of an archive on disk. With `talk.mjs`, the only module that knows Node; in a page, one over `File` takes its place.
//
// An entry has `name`, `type` ("file", "folder", "special", "internal-link", "external-link", "missing") and, of files, `size` and
// `read(start, length)`; of folders, `list()`: a map from names to entries.

import { closeSync, lstatSync, openSync, readdirSync, readlinkSync, readSync, realpathSync } from "node:fs";
import { resolve, sep } from "node:path";

const SLASH = Buffer.from("/");
const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A name as text; a byte that is not UTF-8 becomes half a character, U+DC00 and the byte. */
function textOf(name) {
  try {
    return UTF8.decode(name);
  } catch {
    let text = "";
    for (let at = 0; at < name.length; ) {
      const length = [1, 2, 3, 4].find((count) => isText(name.subarray(at, at + count)) && at + count <= name.length);
      text += length ? UTF8.decode(name.subarray(at, at + length)) : String.fromCharCode(0xdc00 + name[at]);
      at += length ?? 1;
    }
    return text;
  }
}

function isText(bytes) {
  try {
    return [...UTF8.decode(bytes)].length === 1;
  } catch {
    return false;
  }
}

class Entry {
  constructor(path, name, root) {
    Object.assign(this, { path, name, root });
    const found = lstatSync(path, { throwIfNoEntry: false });
    this.size = found?.size ?? 0;
    this.type = !found ? "missing" : found.isSymbolicLink() ? linkOf(path, root) : found.isFile() ? "file" : found.isDirectory() ? "folder" : "special";
  }

  async read(start = 0, length = this.size - start) {
    const bytes = new Uint8Array(Math.max(0, Math.min(length, this.size - start)));
    const file = openSync(this.path, "r");
    try {
      let at = 0;
      for (let count = 1; at < bytes.length && count; at += count) count = readSync(file, bytes, at, bytes.length - at, start + at);
      return bytes.subarray(0, at);
    } finally {
      closeSync(file);
    }
  }

  async list() {
    const names = readdirSync(this.path, { encoding: "buffer" });
    const entries = names.map((name) => new Entry(Buffer.concat([this.path, SLASH, name]), textOf(name), this.root));
    return new Map(entries.map((entry) => [entry.name, entry]));
  }
}

/** Whether a link leads out of the archive. */
function linkOf(path, root) {
  const text = path.toString();
  let target = resolve(text, "..", readlinkSync(text));
  try {
    target = realpathSync(text);
  } catch {
    // It leads nowhere: what it says decides.
  }
  return target === root || target.startsWith(root + sep) ? "internal-link" : "external-link";
}

/** The entry of the archive at a path; links to it are followed. */
export function entryAt(path) {
  try {
    const root = realpathSync(path);
    return new Entry(Buffer.from(root), "", root);
  } catch {
    return new Entry(Buffer.from(resolve(path)), "", resolve(path));
  }
}
