// What the worker may hold: what would take it beyond 1 GiB is refused before it is read.

export const LIMIT = 1 << 30;
/** The bytes of a file that is read whole, or of one part that is read at once. */
export const WHOLE = 512 << 20;
const KEPT = 320 << 20; // arrays and chunks that are kept meanwhile
const WIDER = { bfloat16: 4, float16: 8, int64: 8, uint64: 8, complex64: 0, complex128: 0 };

const mib = (bytes) => `${Math.ceil(bytes / (1 << 20)).toLocaleString("en")} MiB`;
const count = (node) => node.shape.reduce((product, size) => product * size, 1);

export const tooLarge = (bytes, most, command) => new Error(`expected at most ${mib(most)}, found ${mib(bytes)}: use vizschema ${command}`);

/** Throws where values to look at, which are numbers of 8 bytes here, take too much beside `held` bytes. */
export function checkShown(node, held = 0) {
  const needed = held + 2 * node.bytes + 8 * count(node);
  if (needed > LIMIT) throw tooLarge(needed, LIMIT, "show");
}

/** Throws where a rule about the values of one of these arrays takes too much beside `held` bytes. */
export function checkJudged(nodes, held = 0) {
  for (const [path, node] of nodes) {
    const needed = held + KEPT + 2 * node.bytes + count(node) * (2 + (WIDER[node.dtype] ?? (node.dtype.startsWith("float8") ? 8 : 0)));
    if (needed > LIMIT) throw new Error(`the values of ${path} take ${mib(needed)} to judge, expected at most ${mib(LIMIT)}: use vizschema validate`);
  }
}
