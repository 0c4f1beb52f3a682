// The files and folders of the archive that this server gives, as entries of the reference reader: nothing else is asked for.

import { Blocks } from "./blocks.mjs";
import { tooLarge, WHOLE } from "./limits.mjs";

const BLOCKS = { block: 1 << 17, count: 16 };

async function answer(address, headers = {}) {
  const found = await fetch(address, { headers, credentials: "omit", redirect: "error", cache: "no-store" });
  if (!found.ok) throw new Error(`${address}: expected an answer, found the status ${found.status}`);
  return found;
}

const encoded = (steps) => steps.map(encodeURIComponent).join("/");

class Served {
  constructor(base, steps, type, size, onRead) {
    Object.assign(this, { base, steps, type, size, onRead, name: steps.at(-1) ?? "" });
    this.blocks = new Blocks(size, (start, end) => this.range(start, end), BLOCKS);
  }

  async read(start = 0, length = this.size - start) {
    const end = Math.min(this.size, start + Math.max(0, length));
    if (start >= end) return new Uint8Array(0);
    if (end - start > WHOLE) throw tooLarge(end - start, WHOLE, "validate");
    return this.blocks.read(start, end);
  }

  async range(start, end) {
    const path = this.steps.length ? `archive/${encoded(this.steps)}` : "archive";
    const found = await answer(new URL(path, this.base), { Range: `bytes=${start}-${end - 1}` });
    const bytes = new Uint8Array(await found.arrayBuffer());
    this.onRead(bytes.length);
    if (bytes.length !== end - start) throw new Error(`${path}: expected ${end - start} bytes, found ${bytes.length}`);
    return bytes;
  }

  async list() {
    const found = await (await answer(new URL(`list/${encoded(this.steps)}${this.steps.length ? "/" : ""}`, this.base))).json();
    this.onRead(0);
    if (!found.whole) throw new Error(`${this.name}: expected fewer members in one folder`);
    const at = (name, type, size) => new Served(this.base, [...this.steps, name], type, size, this.onRead);
    const entries = new Map();
    for (const name of found.folders) entries.set(name, at(name, "folder", 0));
    for (const [name, size] of Object.entries(found.files)) entries.set(name, at(name, "file", size));
    return entries;
  }
}

/** The name of the archive, and its root as an entry; `onRead` is called whenever something was read. */
export async function served(base, onRead) {
  const about = await (await answer(new URL("archive.json", base))).json();
  return { name: about.name, root: new Served(base, [], about.folder ? "folder" : "file", about.size ?? 0, onRead) };
}
