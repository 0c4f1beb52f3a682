// Short parts of a file, read together with what follows them, as headers are read in many short parts; the last ones are kept,
// but not of a file that is read at once.

export class Blocks {
  /** `fetch(start, end)` gives bytes of a file of `size` bytes; parts up to `block` bytes are read from one of `count` blocks. */
  constructor(size, fetch, { block, count }) {
    Object.assign(this, { size, fetch, block, count, kept: [] });
  }

  async read(start, end) {
    if (end - start > this.block || (start === 0 && end === this.size)) return this.fetch(start, end);
    let found = this.kept.find((each) => each.start <= start && end <= each.start + each.bytes.length);
    if (!found) {
      found = { start, bytes: await this.fetch(start, Math.min(this.size, start + this.block)) };
      this.kept = [found, ...this.kept].slice(0, this.count);
    }
    return found.bytes.subarray(start - found.start, end - found.start);
  }
}
