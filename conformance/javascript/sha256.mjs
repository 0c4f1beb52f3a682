// SHA-256 (FIPS 180-4) of bytes, as lower-case hexadecimal digits.

const primes = [];
for (let candidate = 2; primes.length < 64; candidate += 1) if (primes.every((prime) => candidate % prime)) primes.push(candidate);
const fraction = (value) => Math.floor((value - Math.floor(value)) * 2 ** 32) | 0;
const START = primes.slice(0, 8).map((prime) => fraction(Math.sqrt(prime)));
const ROUND = Int32Array.from(primes, (prime) => fraction(Math.cbrt(prime)));
const turn = (value, by) => (value >>> by) | (value << (32 - by));

export function sha256(bytes) {
  const whole = new Uint8Array(Math.ceil((bytes.length + 9) / 64) * 64);
  whole.set(bytes);
  whole[bytes.length] = 128;
  const view = new DataView(whole.buffer);
  view.setBigUint64(whole.length - 8, BigInt(bytes.length) * 8n);
  const state = Int32Array.from(START);
  const words = new Int32Array(64);
  for (let at = 0; at < whole.length; at += 64) {
    for (let each = 0; each < 16; each += 1) words[each] = view.getInt32(at + 4 * each);
    for (let each = 16; each < 64; each += 1) {
      const [one, two] = [words[each - 15], words[each - 2]];
      words[each] = words[each - 16] + words[each - 7] + (turn(one, 7) ^ turn(one, 18) ^ (one >>> 3)) + (turn(two, 17) ^ turn(two, 19) ^ (two >>> 10));
    }
    block(state, words);
  }
  return [...state].map((word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
}

function block(state, words) {
  let [a, b, c, d, e, f, g, h] = state;
  for (let each = 0; each < 64; each += 1) {
    const one = (h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + ROUND[each] + words[each]) | 0;
    const two = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    [h, g, f, e, d, c, b, a] = [g, f, e, (d + one) | 0, c, b, a, (one + two) | 0];
  }
  [a, b, c, d, e, f, g, h].forEach((value, each) => (state[each] += value));
}
