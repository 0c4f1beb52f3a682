// Reads and judges the archive, apart from the page: it ends this worker when it takes too long.
// Requests are {id, cmd, …}; answers {id, …} or {id, error}. `alive` is sent whenever something was read.

import { describe } from "../../../conformance/javascript/describe.mjs";
import { rounded } from "../../../conformance/javascript/json.mjs";
import { judge } from "../../../conformance/javascript/judge.mjs";
import { open } from "../../../conformance/javascript/opening.mjs";
import { facts, profiles } from "../../../conformance/javascript/built/1.0.0.mjs";
import { served } from "./entries.mjs";
import { numbersOf } from "./numbers.mjs";

const MOST = 256 << 20;
let tree = null;

const answers = {
  async open({ base }) {
    const { name, root } = await served(base, () => postMessage({ alive: true }));
    tree = await open(root);
    if (!tree) return { name, description: null };
    return { name, description: await describe(tree), readable: [...tree.sources].filter(([, source]) => source.readable).map(([path]) => path) };
  },
  async judge({ values }) {
    const known = await describe(tree);
    const declared = known.nodes["/"]?.attributes?.profile;
    const profile = Object.hasOwn(profiles, declared) ? declared : "trace";
    const description = values ? await describe(tree, facts[profile]) : known;
    return { profile, findings: judge(rounded(description), profiles[profile]) };
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
