// Checksums of bytes.

const tableOf = (polynomial) => Uint32Array.from({ length: 256 }, (_, at) => {
  let value = at;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ polynomial : value >>> 1;
  return value;
});

const crcOf = (polynomial) => {
  const table = tableOf(polynomial);
  return (bytes, start = 0) => {
    let value = ~start;
    for (let at = 0; at < bytes.length; at += 1) value = (value >>> 8) ^ table[(value ^ bytes[at]) & 255];
    return ~value >>> 0;
  };
};

export const crc32 = crcOf(0xedb88320);
export const crc32c = crcOf(0x82f63b78);

/** Adler-32, as in zlib (RFC 1950). */
export function adler32(bytes) {
  let [low, high] = [1, 0];
  for (let at = 0; at < bytes.length; ) {
    for (const end = Math.min(at + 3800, bytes.length); at < end; at += 1) high += low += bytes[at];
    [low, high] = [low % 65521, high % 65521];
  }
  return ((high << 16) | low) >>> 0;
}

/** Fletcher-32 over words of two bytes, the first byte the higher one, as HDF5 has it. */
export function fletcher32(bytes) {
  const folded = (sum) => (sum > 65535 ? sum - 65535 : sum); // 65535 stays, as a sum that is not 0
  let [low, high] = [0, 0];
  for (let at = 0; at < bytes.length; at += 2) {
    low = folded(low + (bytes[at] << 8) + (bytes[at + 1] ?? 0));
    high = folded(high + low);
  }
  return ((high << 16) | low) >>> 0;
}

const MASK = (1n << 64n) - 1n;
const [P1, P2, P3, P4, P5] = [11400714785074694791n, 14029467366897019727n, 1609587929392839161n, 9650029242287828579n, 2870177450012600261n];
const turn = (value, by) => ((value << by) | (value >> (64n - by))) & MASK;
const round = (lane, input) => (turn((lane + input * P2) & MASK, 31n) * P1) & MASK;

/** The 64 bits of xxHash (XXH64) of bytes, with the seed 0. */
export function xxh64(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = 0;
  let hash = P5;
  if (bytes.length >= 32) {
    const lanes = [(P1 + P2) & MASK, P2, 0n, (MASK + 1n - P1) & MASK];
    for (; at + 32 <= bytes.length; at += 32)
      for (let lane = 0; lane < 4; lane += 1) lanes[lane] = round(lanes[lane], view.getBigUint64(at + 8 * lane, true));
    hash = (turn(lanes[0], 1n) + turn(lanes[1], 7n) + turn(lanes[2], 12n) + turn(lanes[3], 18n)) & MASK;
    for (const lane of lanes) hash = (((hash ^ round(0n, lane)) * P1) + P4) & MASK;
  }
  hash = (hash + BigInt(bytes.length)) & MASK;
  for (; at + 8 <= bytes.length; at += 8) hash = (turn(hash ^ round(0n, view.getBigUint64(at, true)), 27n) * P1 + P4) & MASK;
  if (at + 4 <= bytes.length) {
    hash = (turn(hash ^ ((BigInt(view.getUint32(at, true)) * P1) & MASK), 23n) * P2 + P3) & MASK;
    at += 4;
  }
  for (; at < bytes.length; at += 1) hash = (turn(hash ^ ((BigInt(bytes[at]) * P5) & MASK), 11n) * P1) & MASK;
  hash = ((hash ^ (hash >> 33n)) * P2) & MASK;
  hash = ((hash ^ (hash >> 29n)) * P3) & MASK;
  return hash ^ (hash >> 32n);
}
