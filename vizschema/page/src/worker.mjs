// Reads and judges the archive, apart from the page: it ends this worker when it takes too long.
// Requests are {id, cmd, …}; answers {id, …} or {id, error}. `alive` is sent whenever something was read.

import { describe } from "../../../conformance/javascript/describe.mjs";
import { rounded } from "../../../conformance/javascript/json.mjs";
import { judge } from "../../../conformance/javascript/judge.mjs";
import { open } from "../../../conformance/javascript/opening.mjs";
import versions, { newest } from "versions:all";
import { dropped } from "./dropped.mjs";
import { served } from "./entries.mjs";
import { numbersOf } from "./numbers.mjs";

const MOST = 256 << 20;
const BASE = "trace";
let tree = null;
const counted = { requests: 0, bytes: 0 };

/** Counts what was read, and says so. */
function onRead(bytes) {
  counted.requests += 1;
  counted.bytes += bytes;
  postMessage({ alive: counted });
}

async function rootOf({ base, files }) {
  if (base) return served(base, onRead);
  const root = dropped(files, onRead);
  return { name: root.name, root };
}

/** By what an archive with these attributes at its root is judged: the version and the profile that it declares, where they are there. */
async function groundsOf({ spec_version, profile: declared }) {
  const known = Object.keys(versions);
  const order = known.includes(spec_version) ? [spec_version] : [newest, ...known.filter((version) => version !== newest).reverse()];
  let found = null;
  for (const version of order) {
    const { facts, profiles } = await versions[version]();
    const own = Object.hasOwn(profiles, declared);
    const profile = own ? declared : BASE;
    if (own || !found) found = { version, profile, validators: profiles[profile], entries: facts[profile] };
    if (own) break;
  }
  return found;
}

const answers = {
  async open({ source }) {
    const { name, root } = await rootOf(source);
    tree = await open(root);
    if (!tree) return { name, description: null };
    return { name, description: await describe(tree), readable: [...tree.sources].filter(([, source]) => source.readable).map(([path]) => path) };
  },
  async judge({ values }) {
    const known = await describe(tree);
    const { version, profile, validators, entries } = await groundsOf(known.nodes["/"]?.attributes ?? {});
    const description = values ? await describe(tree, entries) : known;
    return { version, profile, findings: judge(rounded(description), validators) };
  },
  async values({ path, dtype, bytes }) {
    if (bytes > MOST) throw new Error(`expected at most ${MOST >> 20} MiB, found ${Math.ceil(bytes / (1 << 20))} MiB: use vizschema show`);
    const found = await tree.sources.get(path).read();
    if (!found.bytes) throw new Error(`cannot be read: ${found.damage?.[0]?.detail ?? "no values"}`);
    const numbers = numbersOf(found.bytes, dtype);
    for (let at = 0; found.flags && at < numbers.length; at++) if (found.flags[at]) numbers[at] = NaN;
    return { numbers, damage: found.damage?.slice(0, 3) ?? [] };
  },
};

onmessage = async ({ data }) => {
  try {
    const answer = await answers[data.cmd](data);
    postMessage({ id: data.id, ...answer }, answer.numbers ? [answer.numbers.buffer] : []);
  } catch (error) {
    postMessage({ id: data.id, error: String(error?.message ?? error) });
  }
};
