// Parts of a shard: its index is read first, then the bytes of those inner chunks that are needed; neighbours are read together.

import { chunkOf, indexSize, rangesOf, storedAs } from "../../../conformance/javascript/chain.mjs";
import { Damaged } from "../../../conformance/javascript/damage.mjs";
import { gridOf, indices, product, stridesOf } from "../../../conformance/javascript/grid.mjs";

const INDEX = 64 << 20;
const GAP = 64 << 10;
const TOGETHER = 16 << 20;
const LONGER = 1 << 20;

/** Whether parts of the chunks of a chain can be read: they are shards, and nothing is packed around them. */
export const hasParts = ({ shard, packed }) => Boolean(shard) && !packed.length;

/** The first or the last bytes of an entry, and its size: {bytes, size}; null where it is absent. */
async function edgeOf(entry, length, atStart) {
  if (entry.edge) return entry.edge(length, atStart);
  if (entry.size < length) return { bytes: new Uint8Array(0), size: entry.size };
  return { bytes: await entry.read(atStart ? 0 : entry.size - length, length), size: entry.size };
}

/** The index of a shard: [begin, end] of each inner chunk, or null or undefined as `rangesOf` has it; null where the shard is absent. */
export async function indexOf(entry, { chain, chunk }) {
  const count = product(gridOf(storedAs(chain.orders, chunk).shape, chain.shard.chunk));
  const size = indexSize(chain.shard, count);
  if (size > INDEX) throw new Damaged("over-limit", `an index of ${size} bytes`);
  const edge = await edgeOf(entry, size, chain.shard.atStart);
  if (!edge) return null;
  if (edge.bytes.length !== size) throw new Damaged("truncated", "the shard is shorter than its index");
  return rangesOf(chain.shard, edge.bytes, edge.size, count);
}

/** The inner chunks of a shard that meet a box in it: [{number, start, box}], in dimensions of the array, and `back`, which turns lists into them. */
export function innerWithin({ chain, chunk }, start, size) {
  const { axes, shape } = storedAs(chain.orders, chunk);
  const inner = chain.shard.chunk;
  const back = (list) => axes.reduce((found, axis, at) => ((found[axis] = list[at]), found), []);
  const strides = stridesOf(gridOf(shape, inner));
  const first = axes.map((axis, at) => Math.floor(start[axis] / inner[at]));
  const count = axes.map((axis, at) => Math.ceil((start[axis] + size[axis]) / inner[at]) - first[at]);
  const found = [];
  for (const step of indices(count)) {
    const index = step.map((each, at) => each + first[at]);
    const number = index.reduce((sum, each, at) => sum + each * strides[at], 0);
    found.push({ number, start: back(index.map((each, at) => each * inner[at])), box: back(inner) });
  }
  return { found, back };
}

async function exactly(entry, start, length) {
  const bytes = await entry.read(start, length);
  if (bytes?.length !== length) throw new Error(`expected ${length} bytes of a shard, found ${bytes?.length ?? 0}: it changes while it is read`);
  return bytes;
}

/** The bytes of ranges of an entry: from "begin end" to bytes. */
export async function bytesOf(entry, ranges) {
  const runs = [];
  for (const [begin, end] of [...ranges].sort(([one], [other]) => one - other)) {
    const last = runs.at(-1);
    if (last && begin - last.end <= GAP && Math.max(end, last.end) - last.begin <= TOGETHER) last.end = Math.max(end, last.end);
    else runs.push({ begin, end });
  }
  await Promise.all(runs.map(async (run) => (run.bytes = await exactly(entry, run.begin, run.end - run.begin))));
  return new Map(ranges.map(([begin, end]) => {
    const run = runs.find((each) => each.begin <= begin && end <= each.end);
    return [`${begin} ${end}`, run.bytes.subarray(begin - run.begin, end - run.begin)];
  }));
}

/** An inner chunk out of its bytes, as `chunkOf` gives it, in dimensions of the array. */
export function innerOf({ chain, type }, bytes, repeat, back) {
  const { chunk, chain: own } = chain.shard;
  const { steps, ...found } = chunkOf(own, bytes, chunk, type, repeat);
  return { ...found, steps: back(steps) };
}

/** Throws where a range is longer than what encodings make of so many entries. */
export function checkedRange(range, { chain, type }) {
  if (range === undefined) throw new Damaged("truncated", "the index points beyond the shard");
  const most = 2 * product(chain.shard.chunk) * type.size + LONGER;
  if (range[1] - range[0] > most) throw new Damaged("over-limit", `an inner chunk of ${range[1] - range[0]} bytes`);
  return range;
}
