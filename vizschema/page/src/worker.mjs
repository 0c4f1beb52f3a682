// Reads and judges the archive, apart from the page: it ends this worker when it takes too long.
// Requests are {id, cmd, …}; answers {id, …} or {id, error}. `alive` is sent whenever something was read.

import { describe } from "../../../conformance/javascript/describe.mjs";
import { rounded } from "../../../conformance/javascript/json.mjs";
import { judge } from "../../../conformance/javascript/judge.mjs";
import { open } from "../../../conformance/javascript/opening.mjs";
import { isUnwritten } from "../../../conformance/javascript/zarr_values.mjs";
import versions, { digests, views } from "versions:all";
import { forget, readBox } from "./boxes.mjs";
import { dropped } from "./dropped.mjs";
import { served } from "./entries.mjs";
import { labelsOf } from "./labelling.mjs";
import { checkJudged, checkShown, tooLarge, WHOLE } from "./limits.mjs";
import { numbersOf } from "./numbers.mjs";
import { remote } from "./remote.mjs";
import { meanOf, rolledOut } from "./rolling.mjs";

const HDF5 = [137, 72, 68, 70, 13, 10, 26, 10];
const BASE = "trace";
const FAR = 1e300;
let tree = null;
let description = null;
let held = 0; // the bytes of a file that is read whole
const OFTEN = 100;
let said = 0;
const counted = { requests: 0, bytes: 0 };

/** Whether values are read of an array: not where no chunk was written. */
const isRead = ({ readable, found, entries }) => readable && !(found && !entries.find && isUnwritten(entries));

/** Counts what was read, and says so now and then. */
function onRead(bytes, whole = true) {
  counted.requests += whole ? 1 : 0;
  counted.bytes += bytes;
  if (Date.now() - said < OFTEN) return;
  said = Date.now();
  postMessage({ alive: counted });
}

async function rootOf({ base, files, url }) {
  if (base) return served(base, onRead);
  if (url) return remote(url, onRead);
  const root = dropped(files, onRead);
  return { name: root.name, root };
}

/** By what an archive with these attributes at its root is judged: the version and the profile that it declares, where they are there. */
async function groundsOf({ spec_version, profile: given }) {
  const declared = typeof given === "string" ? given : BASE;
  const known = Object.keys(versions);
  const order = known.includes(spec_version) ? [spec_version] : known;
  let found = null;
  for (const version of order) {
    const { facts, profiles } = await versions[version]();
    const own = Object.hasOwn(profiles, declared);
    const profile = own ? declared : BASE;
    if (own || !found) found = { version, profile, validators: profiles[profile], entries: facts[profile], views: views[version][profile] };
    if (own) break;
  }
  return found;
}

/** A warning for each digest that the root carries of another state of its version or its profile. */
function otherDigests(root, version, profile) {
  const known = [["spec-digest", root.spec_digest, root.spec_version === version, digests[version].spec], ["profile-digest", root.profile_digest, root.profile === profile, digests[version].profiles[profile]]];
  const title = "The specification and the profile that an archive was written by are those that it is judged by.";
  const fix = "judge it by the version and the profile that it was written by, or write the archive again.";
  return known.filter(([, found, same, expected]) => same && typeof found === "string" && found !== expected).map(([rule]) => ({ rule, severity: "warning", path: "/", title, fix }));
}

const attributesOf = ({ nodes }) => nodes["/"]?.attributes ?? {};

/** How the table of the profile shows arrays, by path. */
async function viewsOf(found) {
  const { views: entries } = await groundsOf(attributesOf(found));
  const shown = {};
  for (const [path, { kind }] of Object.entries(found.nodes)) {
    const entry = kind === "array" ? entries.find(({ at }) => new RegExp(at, "u").test(path)) : undefined;
    if (entry) shown[path] = entry.view;
  }
  return shown;
}

const answers = {
  async open({ source }) {
    Object.assign(counted, { requests: 0, bytes: 0 });
    const { name, root } = await rootOf(source);
    forget();
    tree = description = null;
    held = await heldOf(root);
    tree = await open(root);
    for (const unlisted of source.url && tree ? tree.sources.values() : []) // their folders cannot be listed: chunks are asked for by key
      if (unlisted.found) unlisted.read = () => readBox(unlisted, unlisted.found.shape.map(() => 0), unlisted.found.shape);
    if (!tree) return { name, description: null };
    description = await describe(tree);
    return { name, description, views: await viewsOf(description), readable: [...tree.sources].filter(([, source]) => source.readable).map(([path, source]) => [path, Boolean(source.found)]), counted };
  },
  async judge({ values }) {
    const { version, profile, validators, entries } = await groundsOf(attributesOf(description));
    if (values) checkJudged([...tree.sources].filter(([, source]) => isRead(source)).map(([path]) => [path, description.nodes[path]]), held);
    const judged = values ? await describe(tree, entries) : description;
    const carried = otherDigests(attributesOf(description), version, profile);
    return { version, profile, findings: [...judge(rounded(judged), validators), ...carried] };
  },
  /** What rules demand of the values of an array: [{limit, least, rule}], from what they say about values that are far too low and too high. */
  async bounds({ path }) {
    const { validators } = await groundsOf(attributesOf(description));
    const node = { ...description.nodes[path], facts: { minimum: -FAR, maximum: FAR } };
    const probe = rounded({ ...description, values: "read", nodes: { "/": description.nodes["/"], [path]: node } });
    const found = new Map();
    for (const [validate] of validators)
      for (const { keyword, params, instancePath, parentSchema } of validate(probe) ? [] : validate.errors) {
        const [, fact] = /[/]facts[/](minimum|maximum)$/.exec(instancePath) ?? [];
        if (fact && typeof params.limit === "number" && /imum$/i.test(keyword)) found.set(`${fact} ${params.limit}`, { limit: params.limit, least: fact === "minimum", rule: parentSchema.rule ?? "" });
      }
    return { bounds: [...found.values()] };
  },
  /** What the positions along each axis of an array are called. */
  async labels({ path }) {
    const read = async (other) => (await answers.values({ path: other })).numbers;
    return { labels: await labelsOf(path, description.nodes, read) };
  },
  async values({ path }) {
    checkShown(description.nodes[path], held);
    return numbered(await tree.sources.get(path).read(), description.nodes[path].dtype);
  },
  /** The values of a box of an array that is stored in chunks. */
  async box({ path, start, size }) {
    const source = tree.sources.get(path);
    const bytes = size.reduce((product, each) => product * each, source.found.type.size);
    checkShown({ bytes, shape: size }, held);
    return numbered(await readBox(source, start, size), description.nodes[path].dtype);
  },
  /** The rollout of attention up to the last of these layers, and the image below it, at the index that `place` has for each axis that both have. */
  async rollout({ layers, roles, image, place }) {
    let found = null;
    for (const path of layers) {
      const { numbers, shape, box } = await partOf(path, place);
      found = rolledOut(found, meanOf(numbers, shape, box, { down: roles.query, across: roles.key }).means);
      postMessage({ alive: counted });
    }
    return { numbers: found, under: await greyOf(image, place) };
  },
};

/** A part of an array, with an index along each axis that `place` names: {numbers, shape, box}; `shape` is that of the numbers, and `box` the part in them. */
async function partOf(path, place) {
  const { axes, shape } = description.nodes[path];
  const start = axes.map((axis) => (Object.hasOwn(place, axis) ? place[axis] : 0));
  const size = axes.map((axis, at) => (Object.hasOwn(place, axis) ? 1 : shape[at]));
  const whole = !tree.sources.get(path).found;
  const { numbers, damage } = whole ? await answers.values({ path }) : await answers.box({ path, start, size });
  if (damage.length) throw new Error(`${path}: ${damage[0].key}, ${damage[0].detail}`);
  return whole ? { numbers, shape, box: { start, size } } : { numbers, shape: size, box: { start: start.map(() => 0), size } };
}

/** The numbers of an image, rows then columns, as the mean of its channels. */
async function greyOf(path, place) {
  const { axes } = description.nodes[path];
  const { numbers, shape, box } = await partOf(path, place);
  const [down, across] = ["height", "width"].map((side) => axes.indexOf(side));
  const { rows, columns, means } = meanOf(numbers, shape, box, { down, across });
  return { rows, columns, numbers: means };
}

/** The bytes of a file that is read whole, as HDF5 is; throws where it is too large for that. */
async function heldOf(root) {
  if (root?.type !== "file") return 0;
  const head = await root.read(0, HDF5.length);
  if (!HDF5.every((byte, at) => byte === head[at])) return 0;
  if (root.size > WHOLE) throw tooLarge(root.size, WHOLE, "show, as HDF5 is read whole here");
  return root.size;
}

function numbered({ bytes, flags, damage = [] }, dtype) {
  if (!bytes) throw new Error(`cannot be read: ${damage[0]?.detail ?? "no values"}`);
  const numbers = numbersOf(bytes, dtype);
  for (let at = 0; flags && at < numbers.length; at++) if (flags[at]) numbers[at] = NaN;
  return { numbers, damage: damage.slice(0, 3) };
}

onmessage = async ({ data }) => {
  try {
    const answer = await answers[data.cmd](data);
    postMessage({ id: data.id, ...answer }, answer.numbers ? [answer.numbers.buffer] : []);
  } catch (error) {
    postMessage({ id: data.id, error: String(error?.message ?? error) });
  }
};
