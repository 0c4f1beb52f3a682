// MD5 (RFC 1321) of bytes; checksums of blocks of ASDF.

const TURNS = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];
const ADDED = Int32Array.from({ length: 64 }, (_, at) => Math.floor(Math.abs(Math.sin(at + 1)) * 2 ** 32));
const PLACES = [(at) => at, (at) => (5 * at + 1) % 16, (at) => (3 * at + 5) % 16, (at) => (7 * at) % 16];
const MIXED = [
  (b, c, d) => (b & c) | (~b & d), (b, c, d) => (d & b) | (~d & c), (b, c, d) => b ^ c ^ d, (b, c, d) => c ^ (b | ~d),
];

/** The 16 bytes of the checksum. */
export function md5(bytes) {
  const whole = new Uint8Array(Math.ceil((bytes.length + 9) / 64) * 64);
  whole.set(bytes);
  whole[bytes.length] = 128;
  const view = new DataView(whole.buffer);
  view.setBigUint64(whole.length - 8, BigInt(bytes.length) * 8n, true);
  const state = Int32Array.of(0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476);
  for (let start = 0; start < whole.length; start += 64) {
    let [a, b, c, d] = state;
    for (let at = 0; at < 64; at += 1) {
      const round = at >> 4;
      const sum = (a + MIXED[round](b, c, d) + ADDED[at] + view.getInt32(start + 4 * PLACES[round](at), true)) | 0;
      const by = TURNS[round][at & 3];
      [a, b, c, d] = [d, (b + ((sum << by) | (sum >>> (32 - by)))) | 0, b, c];
    }
    [a, b, c, d].forEach((value, at) => (state[at] += value));
  }
  return new Uint8Array(state.buffer);
}
