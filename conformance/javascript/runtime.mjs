// What the code of Ajv calls: how many characters a text has, whether two JSON values are equal, and errors added to others.

/** The number of Unicode characters of a text. */
export const length = (text) => {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
};

/** Whether two JSON values are equal. */
export function equal(one, other) {
  if (one === other) return true;
  if (typeof one !== "object" || typeof other !== "object" || one === null || other === null) return false;
  if (Array.isArray(one) !== Array.isArray(other)) return false;
  const keys = Object.keys(one);
  return keys.length === Object.keys(other).length && keys.every((key) => Object.hasOwn(other, key) && equal(one[key], other[key]));
}

/** The errors so far (null: none) and further ones, in one list. */
export function joined(errors, more) {
  if (errors === null) return more;
  for (const error of more) errors.push(error);
  return errors;
}
