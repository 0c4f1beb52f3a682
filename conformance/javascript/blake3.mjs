// BLAKE3 of at most 4 TiB, unkeyed, 32 bytes: https://github.com/BLAKE3-team/BLAKE3-specs, section 2. Plain, and not fast.
const IV = [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19];
const ORDER = [2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8];
const [START, END, PARENT, ROOT] = [1, 2, 4, 8];
const state = new Int32Array(16);

function mix(a, b, c, d, x, y) {
  const turn = (value, by) => (value >>> by) | (value << (32 - by));
  state[a] += state[b] + x; state[d] = turn(state[d] ^ state[a], 16);
  state[c] += state[d]; state[b] = turn(state[b] ^ state[c], 12);
  state[a] += state[b] + y; state[d] = turn(state[d] ^ state[a], 8);
  state[c] += state[d]; state[b] = turn(state[b] ^ state[c], 7);
}

function compress(chain, words, counter, length, flags) {
  state.set(chain); state.set(IV.slice(0, 4), 8); state.set([counter, 0, length, flags], 12);
  for (let round = 0; round < 7; round++) {
    for (let i = 0; i < 4; i++) mix(i, i + 4, i + 8, i + 12, words[2 * i], words[2 * i + 1]);
    for (let i = 0; i < 4; i++) mix(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4, words[8 + 2 * i], words[9 + 2 * i]);
    words = ORDER.map((from) => words[from]);
  }
  return Array.from({ length: 8 }, (_, i) => state[i] ^ state[i + 8]);
}

function chunk(bytes, counter, root) {
  let chain = IV;
  for (let at = 0, flags = START; flags !== null; at += 64) {
    const block = new Uint8Array(64), last = at + 64 >= bytes.length;
    block.set(bytes.subarray(at, at + 64));
    const view = new DataView(block.buffer);
    const words = Array.from({ length: 16 }, (_, i) => view.getInt32(4 * i, true));
    chain = compress(chain, words, counter, Math.min(64, bytes.length - at), flags | (last ? END | root : 0));
    flags = last ? null : 0;
  }
  return chain;
}

function tree(bytes, counter, root) {
  if (bytes.length <= 1024) return chunk(bytes, counter, root);
  const left = 2 ** Math.floor(Math.log2(Math.ceil(bytes.length / 1024) - 1));
  const halves = [tree(bytes.subarray(0, left * 1024), counter, 0), tree(bytes.subarray(left * 1024), counter + left, 0)];
  return compress(IV, halves.flat(), 0, 64, PARENT | root);
}

export function blake3(bytes) {
  const found = new DataView(new ArrayBuffer(32));
  tree(Uint8Array.from(bytes), 0, ROOT).forEach((word, i) => found.setInt32(4 * i, word, true));
  return new Uint8Array(found.buffer);
}

/** Bytes in hexadecimal digits. */
export const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

/** Pieces of bytes, one behind another. */
export function joined(pieces) {
  const whole = new Uint8Array(pieces.reduce((length, piece) => length + piece.length, 0));
  pieces.reduce((at, piece) => (whole.set(piece, at), at + piece.length), 0);
  return whole;
}
