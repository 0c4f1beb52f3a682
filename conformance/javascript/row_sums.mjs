// The sums of rows, as "Row sums" of the chapter says.

/** The exact sum of a row of doubles; null where it has none. */
export function rowSum(row) {
  const shift = 1.5 * 2 ** (row.length.toString(2).length + 1);
  let sum = 0;
  for (const value of row) {
    if (!(Math.abs(value) <= 2)) return null;
    sum += value + shift - shift;
  }
  return sum;
}

/** A double to six decimals, halfway to the even digit; the nearest double. */
export function sixDecimals(sum) {
  const bits = new DataView(new ArrayBuffer(8));
  bits.setFloat64(0, Math.abs(sum));
  const exponent = Number(bits.getBigUint64(0) >> 52n);
  const mantissa = (bits.getBigUint64(0) & (2n ** 52n - 1n)) | (exponent ? 2n ** 52n : 0n);
  const places = BigInt(1075 - (exponent || 1)); // the sum is the mantissa over 2 to this power
  const scaled = mantissa * 1000000n;
  const [whole, rest, half] = [scaled >> places, scaled & (2n ** places - 1n), 2n ** places / 2n];
  const millionths = whole + (rest > half || (rest === half && whole % 2n === 1n) ? 1n : 0n);
  return (Math.sign(sum) || 1) * Number(`${millionths}e-6`) + 0;
}

/** The facts about the rows of an array: values [row · column] as doubles. */
export function rowSums(values, columns) {
  const sums = [];
  for (let at = 0; columns && at < values.length; at += columns) {
    const sum = rowSum(values.subarray(at, at + columns));
    if (sum !== null) sums.push(sixDecimals(sum));
  }
  const least = (numbers) => (numbers.length ? numbers.reduce((one, other) => Math.min(one, other)) : null);
  return {
    row_length: columns,
    row_sum_minimum: least(sums),
    row_sum_maximum: sums.length ? sums.reduce((one, other) => Math.max(one, other)) : null,
    nonzero_row_sum_minimum: least(sums.filter((sum) => sum !== 0)),
  };
}
