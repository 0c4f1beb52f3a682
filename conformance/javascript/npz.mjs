// Archives of NPZ: `.npy` members of a zip file, and `vizschema.json`.

import { accountsOf, assemble, axesOf } from "./accounts.mjs";
import { blockValues } from "./block.mjs";
import { SIZES } from "./dtypes.mjs";
import { product } from "./grid.mjs";
import { documentOf, Unreadable } from "./json.mjs";
import { HEAD, headerOf } from "./npy.mjs";
import { array, failureOf, left, Tree, unreadable } from "./tree.mjs";
import { isDrive, isInside, Member } from "./zip.mjs";

const DOCUMENT = "vizschema.json";
const LIMIT = 64 << 20;

/** Whether the members of a zip file are those of NPZ. */
export const isNpz = (members) => members.some(({ name }) => name === DOCUMENT || name.endsWith(".npy"));

/** The tree of an archive, by the members of its zip file. */
export async function readNpz(file, { members, readings }) {
  const tree = new Tree({ format: "npz", version: null, store: "file", consolidated: false, ...(readings.length && { readings }) });
  const { accounts, failure } = await documentAt(file, members.filter(({ name }) => name === DOCUMENT));
  const [items, outside] = [[], []];
  for (const member of members) {
    if (member.name === DOCUMENT || member.name.endsWith("/")) continue;
    const isArray = member.name.endsWith(".npy");
    const steps = (isArray ? member.name.slice(0, -4) : member.name).split("/");
    if (!isInside(steps)) outside.push(steps);
    else if (isArray) items.push({ steps, make: await maker(new Member(file, member, steps.at(-1)), isDrive(steps)) });
    else items.push({ steps, name: member.name });
  }
  const arrays = new Set(items.filter(({ make }) => make).map(({ steps }) => steps.join("/")));
  assemble(tree, items.map((item) => settled(item, arrays)), accounts, { failure });
  for (const steps of outside) addOutside(tree, steps);
  return tree;
}

/** A member without `.npy` is stray, unless an array has its name. */
function settled(item, arrays) {
  if (item.make) return item;
  return arrays.has(item.steps.join("/")) ? { ...item, make: () => ({}) } : { steps: item.steps.slice(0, -1), stray: item.steps.at(-1) };
}

function addOutside(tree, steps) {
  let parent = "/";
  const names = tree.names;
  for (const step of steps.slice(0, -1)) parent = `${parent === "/" ? "" : parent}/${step === "" ? "\\empty" : step}`;
  tree.add(parent, steps.at(-1), unreadable("metadata-invalid", "a name that leads out of the archive"));
  names.delete(parent);
}

async function documentAt(file, members) {
  if (!members.length) return { accounts: new Map(), failure: null };
  try {
    if (members.length > 1) throw new Unreadable("metadata-conflict", "two members of one name");
    const member = new Member(file, members[0], DOCUMENT);
    if (member.size > LIMIT) throw new Unreadable("over-limit", `a document of ${member.size} bytes`);
    return { accounts: accountsOf(documentOf(await member.read(), { limit: LIMIT, depth: 34 })), failure: null };
  } catch (error) {
    return { accounts: new Map(), failure: failureOf(error) };
  }
}

/** What makes the node of a member, given its account. */
async function maker(member, drive) {
  if (member.type === "special") return () => ({ node: left("object", "special-file") });
  if (member.type.endsWith("link")) return () => ({ node: left("link", member.type) });
  if (drive) return () => ({ node: unreadable("metadata-invalid", "a name that leads to another disk") });
  try {
    const header = headerOf(await member.head(Math.min(HEAD, member.size)), member.size);
    if (header.type.dtype === "object") return () => ({ node: left("object", "pickle") });
    return (account) => made(member, header, account);
  } catch (error) {
    const node = failureOf(error);
    return () => ({ node });
  }
}

function made(member, { type, shape, order, start }, { axes, attributes: raw }) {
  const node = array({ dtype: type.dtype, shape, bytes: product(shape) * type.size, raw, ...axesOf(axes, shape.length) });
  const load = async () => (await member.read()).subarray(start);
  return { node, source: { readable: Object.hasOwn(SIZES, type.dtype), read: () => blockValues(load, { shape, type, order, key: member.member.name }) } };
}
