// Files that were chosen or dropped, as entries of the reference reader: parts of them are read when they are asked for.

import { Blocks } from "./blocks.mjs";
import { tooLarge, WHOLE } from "./limits.mjs";

const BLOCKS = { block: 1 << 17, count: 16 };

class Local {
  constructor(name, file, onRead) {
    Object.assign(this, { name, file, onRead, type: file ? "file" : "folder", size: file?.size ?? 0, members: new Map() });
    this.blocks = new Blocks(this.size, (start, end) => this.slice(start, end), BLOCKS);
  }

  async read(start = 0, length = this.size - start) {
    if (length > WHOLE) throw tooLarge(length, WHOLE, "validate");
    const end = Math.min(this.size, Math.max(start, start + length));
    return start < end ? this.blocks.read(start, end) : new Uint8Array(0);
  }

  async slice(start, end) {
    const bytes = new Uint8Array(await this.file.slice(start, end).arrayBuffer());
    this.onRead(bytes.length);
    return bytes;
  }

  async list() {
    return this.members;
  }
}

/** The root of the files, each given as [path, File]; of a folder without files, the path ends with "/". */
export function dropped(files, onRead) {
  const top = new Local("", null, onRead);
  for (const [path, file] of files) {
    const steps = path.split("/").filter(Boolean);
    let folder = top;
    steps.forEach((step, at) => {
      const own = at === steps.length - 1 ? file : null;
      if (!folder.members.has(step)) folder.members.set(step, new Local(step, own, onRead));
      folder = folder.members.get(step);
    });
  }
  return [...top.members.values()][0];
}
