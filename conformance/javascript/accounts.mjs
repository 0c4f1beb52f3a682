// Containers that list arrays by name, and say axes and attributes in one document: `vizschema.json` of NPZ, and that of safetensors.

import { isObject, isText, Unreadable } from "./json.mjs";
import { DEPTH, group, unreadable } from "./tree.mjs";
import { isInside } from "./zip.mjs";

const FIELDS = new Set(["kind", "axes", "attributes"]);

/** The accounts of a document by the path of the node. Throws `Unreadable`. */
export function accountsOf(document) {
  for (const name of Object.keys(document)) if (name !== "nodes") throw new Unreadable("unsupported", `the field ${name}`);
  if (!isObject(document.nodes)) throw new Unreadable("metadata-invalid", "nodes is not an object");
  const found = new Map();
  for (const [path, account] of Object.entries(document.nodes)) {
    const steps = path === "/" ? [] : path.split("/").slice(1);
    if (!path.startsWith("/") || !isInside(steps)) throw new Unreadable("metadata-invalid", `no path: ${path}`);
    if (!isObject(account)) throw new Unreadable("metadata-invalid", `the account of ${path} is not an object`);
    found.set(path, { steps, account });
  }
  return found;
}

const branch = (name) => ({ name, members: new Map(), items: [], account: null, stray: [] });

function at(root, steps) {
  let here = root;
  for (const step of steps) {
    if (!here.members.has(step)) here.members.set(step, branch(step));
    here = here.members.get(step);
  }
  return here;
}

/**
 * Puts arrays and accounts into a tree. An item is {steps, make} or {steps, stray}: `make(account)` gives {node, source}, or throws `Unreadable`.
 *
 * `failure` is the node that the root is where its document cannot be used, `attributes` are those of the root without one.
 */
export function assemble(tree, items, accounts, { failure = null, attributes = {} } = {}) {
  const root = branch(null);
  for (const item of items) {
    if (item.stray !== undefined) at(root, item.steps).stray.push(item.stray);
    else at(root, item.steps).items.push(item);
  }
  for (const { steps, account } of accounts.values()) at(root, steps).account = account;
  put(tree, null, root, { depth: 0, failure, attributes });
}

function put(tree, parent, here, { depth, failure = null, attributes = {} }) {
  const { node, source } = depth > DEPTH ? { node: unreadable("over-limit", "too deep") } : failure ? { node: failure } : made(here, attributes);
  const path = tree.add(parent, here.name, node);
  if (source) tree.sources.set(path, source);
  if (node.kind !== "group" && !failure) return;
  for (const name of here.stray) tree.addStray(path, name);
  for (const name of [...here.members.keys()].sort()) {
    const inner = here.members.get(name);
    if (inner.items.length || inner.members.size || inner.account || inner.stray.length) put(tree, path, inner, { depth: depth + 1 });
  }
}

function made({ items, members, account, stray }, attributes) {
  try {
    checkAccount(account);
    if (items.length > 1) throw new Unreadable("metadata-conflict", "two members of one name");
    if (items.length && (members.size || stray.length)) throw new Unreadable("metadata-conflict", "an array that is a group too");
    if (account && (account.kind === "array") !== Boolean(items.length)) throw new Unreadable("metadata-conflict", `listed as ${account.kind}, and is not`);
    if (!items.length) return { node: group(account?.attributes ?? attributes) };
    return items[0].make(account ?? {});
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    return { node: unreadable(error.reason, error.message) };
  }
}

function checkAccount(account) {
  if (!account) return;
  for (const name of Object.keys(account)) if (!FIELDS.has(name) || (name === "axes" && account.kind === "group")) throw new Unreadable("unsupported", `the field ${name}`);
  if (account.kind !== "array" && account.kind !== "group") throw new Unreadable("metadata-invalid", "kind is neither group nor array");
  if (account.attributes !== undefined && !isObject(account.attributes)) throw new Unreadable("metadata-invalid", "attributes are not an object");
}

/** The axes of an account that fit a rank, else null and why. */
export function axesOf(axes, rank) {
  if (axes === undefined || axes === null) return { axes: null };
  if (!Array.isArray(axes) || !axes.every((axis) => axis === null || isText(axis))) throw new Unreadable("metadata-invalid", "axes are not a list of names");
  return axes.length === rank ? { axes } : { axes: null, detail: `${axes.length} names for ${rank} dimensions` };
}
