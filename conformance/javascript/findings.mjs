// From the failures of an engine to findings, as "How to judge" of the specification says; no engine, no file, no Node.

/** The JSON Pointer of a list of names and indices. */
export const pointerOf = (tokens) =>
  tokens.map((token) => `/${String(token).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");

/** The names and indices of a JSON Pointer. */
export const tokensOf = (pointer) =>
  pointer.split("/").slice(1).map((token) => token.replaceAll("~1", "/").replaceAll("~0", "~"));

/**
 * The findings of failures `{rule, severity, tokens, misnamed}`, each once: `{severity, rule, path, instance}`, sorted.
 *
 * `tokens` lead to the value, or to the name that is missing or that breaks its rule; `misnamed` says that it is the name.
 */
export function findingsOf(description, failures) {
  const named = new Set(failures.filter(isMisnamedNode).map(({ rule, tokens }) => `${rule} ${tokens[1]}`));
  const kept = failures.filter((failure) => !isMisnamedNode(failure) || !above(failure).some((key) => named.has(key)));
  const unique = new Map(kept.map((failure) => [`${failure.rule} ${pointerOf(failure.tokens)}`, failure]));
  return [...unique.values()]
    .map(({ rule, severity, tokens }) => ({ severity, rule, path: pathOf(description, tokens), instance: pointerOf(tokens) }))
    .sort((one, other) => (keyOf(one) < keyOf(other) ? -1 : 1));
}

const keyOf = ({ severity, rule, instance }) => `${severity} ${rule} ${instance}`;
const isMisnamedNode = ({ misnamed, tokens }) => misnamed && tokens.length === 2 && tokens[0] === "nodes";

/** For each path above a misnamed node, the key that it has if it breaks the same rule. */
function above({ rule, tokens: [, path] }) {
  const keys = [];
  for (let end = path.lastIndexOf("/"); end > 0; end = path.lastIndexOf("/", end - 1)) keys.push(`${rule} ${path.slice(0, end)}`);
  return keys;
}

/** The node, series or axis that a finding is about, as a path in the archive. */
export function pathOf(description, [part, key]) {
  if (key === undefined) return "/";
  if (part === "nodes" || part === "not_captured") return key;
  if (part === "series") return `${key}_*`;
  return part === "axes" ? rarest(description.axes[key]) : "/";
}

/** The first path of the size that was seen least often, of equal ones the smallest. */
function rarest(sizes) {
  const ordered = Object.entries(sizes).sort(([a, { count: x }], [b, { count: y }]) => x - y || (BigInt(a) < BigInt(b) ? -1 : 1));
  return ordered[0][1].first[0];
}
