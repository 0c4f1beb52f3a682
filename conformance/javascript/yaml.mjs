// YAML as a tree of nodes: tags, anchors and keys as they stand, nothing constructed. Scalars are resolved as YAML 1.1 has them.

import yaml from "js-yaml";
import { Unreadable } from "./json.mjs";

const DEPTH = 160;
const CORE = "tag:yaml.org,2002:";
const any = ["scalar", "sequence", "mapping"].map((kind) => new yaml.Type("", { kind, multi: true }));
const SCHEMA = yaml.FAILSAFE_SCHEMA.extend(any);

/**
 * The tree of a text: {kind: "map" | "seq" | "scalar" | "alias", tag, pairs | items | text, plain}. Throws `Unreadable`.
 *
 * An alias has `target`, null within the node that it names.
 */
export function treeOf(text) {
  const stack = [{ children: [] }];
  const anchors = new Map();
  const listener = (event, state) => {
    if (event === "open") {
      if (stack.length > 2 * DEPTH) throw new Unreadable("over-limit", "a tree nested too deep");
      stack.push({ children: [], start: state.position });
      return;
    }
    const { children, start } = stack.pop();
    const node = nodeOf(state, kept(children), start, anchors);
    if (state.anchor !== null && node.kind !== "alias") anchors.set(state.anchor, node);
    stack.at(-1).children.push({ node, result: state.result, start, end: state.position });
  };
  try {
    yaml.load(text, { schema: SCHEMA, json: true, listener, maxDepth: 2 * DEPTH + 10 });
  } catch (error) {
    if (error instanceof Unreadable) throw error;
    if (error instanceof RangeError) throw new Unreadable("over-limit", "a tree nested too deep");
    throw new Unreadable("metadata-malformed", String(error?.reason ?? error?.message ?? error));
  }
  const [found] = stack[0].children;
  return found?.node ?? scalar("", null, true);
}

/** The children of a node without those that the parser began, gave up and read again from the same place. */
const kept = (children) => children.filter(({ end }, at) => !(children[at + 1]?.start < end));

const scalar = (text, tag, plain) => ({ kind: "scalar", tag, text, plain });

function nodeOf(state, children, start, anchors) {
  const tag = state.tag === "?" || state.tag === "!" ? null : state.tag;
  if (state.kind === null) {
    const [, name] = /[*]([^\s,[\]{}]+)\s*$/.exec(state.input.slice(start, state.position)) ?? [];
    if (name !== undefined && state.result !== null) return { kind: "alias", tag: null, target: anchors.get(name) ?? null };
    return scalar("", tag, true);
  }
  const last = children.at(-1);
  // An item of a block sequence was read as a key first, which forgets the tag of a plain scalar.
  if (state.kind === "scalar") return scalar(state.result ?? "", tag, state.tag === "?" || (state.tag === null && last?.end === state.position && last.node.plain === true));
  if (children.length === 1 && last.result === state.result && last.node.kind !== "alias") return { ...last.node, tag: last.node.tag ?? tag };
  const nodes = children.map(({ node }) => node);
  return state.kind === "sequence" ? { kind: "seq", tag, items: nodes } : { kind: "map", tag, ...pairsOf(nodes) };
}

/** The pairs of a mapping, and whether one key is there twice. */
function pairsOf(nodes) {
  if (nodes.length % 2 && nodes.at(-1).kind === "scalar" && nodes.at(-1).text === "") nodes.pop(); // where the parser looked for one more key
  if (nodes.length % 2) throw new Unreadable("unsupported", "a mapping with a key without a value");
  const pairs = [];
  const seen = new Set();
  let twice = false;
  for (let at = 0; at < nodes.length; at += 2) {
    const key = nodes[at].kind === "alias" ? nodes[at].target : nodes[at];
    if (key?.kind !== "scalar") throw new Unreadable("unsupported", "a key that is not a scalar");
    if (key.plain && key.text === "<<") throw new Unreadable("unsupported", "a merge key");
    twice ||= seen.has(key.text);
    seen.add(key.text);
    pairs.push([key.text, nodes[at + 1]]);
  }
  return { pairs, twice };
}

/** The node that an alias stands for where it is followed: of a scalar or a flat list; null of anything else. */
export function followed(node) {
  if (node.kind !== "alias") return node;
  const { target } = node;
  const flat = target && (target.kind === "scalar" || (target.kind === "seq" && target.items.every(({ kind }) => kind === "scalar")));
  return flat ? target : null;
}

const WORDS = { "": null, "~": null, null: null, true: true, false: false, yes: true, no: false, on: true, off: false };
const BASES = [[/^[-+]?0b[01_]+$/, 2, 2], [/^[-+]?0x[0-9a-fA-F_]+$/, 16, 2], [/^[-+]?0[0-7_]+$/, 8, 1], [/^[-+]?(0|[1-9][0-9_]*)$/, 10, 0]];

/** The JSON value of a node; undefined where it has none: a tag, an alias that is not followed, a key that is there twice. */
export function valueOf(given) {
  const node = followed(given);
  if (!node || (node.tag !== null && !node.tag.startsWith(CORE))) return undefined;
  if (node.kind === "seq") {
    const items = node.items.map(valueOf);
    return items.includes(undefined) ? undefined : items;
  }
  if (node.kind === "map") {
    const found = Object.create(null);
    for (const [key, value] of node.pairs) found[key] = valueOf(value);
    return node.twice || Object.values(found).includes(undefined) ? undefined : found;
  }
  return node.plain && (node.tag === null || node.tag !== `${CORE}str`) ? resolved(node.text) : node.text;
}

function resolved(text) {
  const word = text.toLowerCase();
  if (Object.hasOwn(WORDS, word) && (text === word || text === text.toUpperCase() || text === word[0]?.toUpperCase() + word.slice(1))) return WORDS[word];
  for (const [pattern, base, skip] of BASES) {
    if (!pattern.test(text)) continue;
    const sign = text.startsWith("-") ? -1n : 1n;
    const digits = text.replace(/^[-+]/, "").slice(skip).replaceAll("_", "");
    const value = sign * BigInt(`${{ 2: "0b", 8: "0o", 10: "", 16: "0x" }[base]}${digits}`);
    return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  }
  if (/^[-+]?([0-9][0-9_]*[.][0-9_]*|[.][0-9][0-9_]*)([eE][-+][0-9]+)?$/.test(text)) return Number(text.replaceAll("_", ""));
  if (/^[-+]?[.](inf|Inf|INF)$/.test(text)) return text.startsWith("-") ? -Infinity : Infinity;
  return /^[.](nan|NaN|NAN)$/.test(text) ? NaN : text;
}

