// node boxes.mjs FOLDER…: whether boxes of arrays, as the page reads them, have the values that reading all of an array gives.

import assert from "node:assert/strict";
import { entryAt } from "../../conformance/javascript/files.mjs";
import { indices, stridesOf } from "../../conformance/javascript/grid.mjs";
import { open } from "../../conformance/javascript/opening.mjs";
import { readBox } from "../../vizschema/page/src/boxes.mjs";

let seed = 1;
const random = (below) => (seed = (seed * 48271) % 2147483647) % below;
let compared = 0;
for (const path of process.argv.slice(2)) {
  const tree = await open(entryAt(path));
  for (const source of tree.sources.values()) {
    const { shape, type } = source.found;
    const whole = await source.read();
    const strides = stridesOf(shape);
    for (let time = 0; time < 12; time += 1) {
      const start = shape.map((size) => random(size));
      const box = shape.map((size, axis) => 1 + random(size - start[axis]));
      const found = await readBox(source, start, box);
      let at = 0;
      for (const index of indices(box)) {
        const place = index.reduce((sum, each, axis) => sum + (each + start[axis]) * strides[axis], 0);
        assert.equal(found.flags?.[at] ?? 0, whole.flags?.[place] ?? 0);
        if (!found.flags?.[at]) assert.deepEqual(found.bytes.subarray(at * type.size, ++at * type.size), whole.bytes.subarray(place * type.size, (place + 1) * type.size));
        else at += 1;
      }
      compared += 1;
    }
    const all = await readBox(source, shape.map(() => 0), shape);
    assert.deepEqual([all.absent, all.damage.length > 0], [whole.absent, whole.damage.length > 0]);
  }
}
console.log(compared);
