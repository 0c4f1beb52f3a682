// The requests of the conformance protocol, answered: no file and no Node, so that a page can ask, too.

import { describe } from "./describe.mjs";
import { rounded } from "./json.mjs";
import { digestOfTree } from "./digest.mjs";
import { judge } from "./judge.mjs";
import { open } from "./opening.mjs";
import { sha256 } from "./sha256.mjs";

export const CONTAINERS = ["zarr-v3", "zarr-v2", "zarr-v3-sharded", "zarr-v3-zip", "zarr-v2-zip", "npz", "hdf5", "asdf", "safetensors"];

/** A session: `entryAt(path)` gives what is at a path, `load(version)` the built module of a version, `containers` those that it has. */
export function session({ entryAt, load, containers = CONTAINERS }) {
  let spec = null;
  const profileOf = (name) => {
    if (!spec) throw new Error("expected the request `spec` first");
    if (!Object.hasOwn(spec.profiles, name)) throw new Error(`expected a profile of the specification, found ${name}`);
    return spec.profiles[name];
  };
  const verdict = (description, profile) => {
    const findings = judge(description, profileOf(profile));
    return { verdict: findings.some(({ severity }) => severity === "error") ? "invalid" : "valid", findings: findings.map(({ rule, path }) => ({ rule, path })) };
  };
  const answers = {
    hello: () => ({ name: "vizschema in JavaScript", version: "1.0.0", roles: ["validator", "reader"], containers, values: true, judge: true, limits: "minimum" }),
    async spec({ version }) {
      spec = await load(version);
      return { ok: spec !== null };
    },
    judge: ({ description, profile }) => verdict(rounded(description), profile),
    async validate({ path, profile, values }) {
      profileOf(profile);
      const tree = await open(entryAt(path));
      if (!tree) return { verdict: "refused", findings: [] };
      return verdict(rounded(await describe(tree, values ? spec.facts[profile] : null)), profile);
    },
    async read({ path }) {
      const tree = await open(entryAt(path));
      if (!tree) throw new Error("not an archive");
      return { nodes: await contents(tree) };
    },
    async digest({ path }) {
      const tree = await open(entryAt(path));
      if (!tree) throw new Error("not an archive");
      return { digest: await digestOfTree(tree) };
    },
  };
  return async (request) => {
    if (!Object.hasOwn(answers, request.cmd)) throw new Error(`no request ${request.cmd}`);
    return answers[request.cmd](request);
  };
}

/** Every node with the SHA-256 of its values. */
async function contents(tree) {
  const { nodes } = await describe(tree);
  const found = Object.create(null);
  for (const [path, node] of Object.entries(nodes)) {
    if (node.kind === "group") found[path] = { kind: "group", attributes: node.attributes };
    else if (node.kind !== "array") throw new Error(`${path}: ${node.kind}, ${node.reason}`);
    else found[path] = await valuesOf(path, node, tree.sources.get(path));
  }
  return found;
}

async function valuesOf(path, { dtype, shape, axes, attributes }, source) {
  if (!source?.readable) throw new Error(`${path}: values of ${dtype} are not read`);
  const { bytes, damage = [] } = await source.read();
  if (damage.length || !bytes) throw new Error(`${path}: ${damage[0]?.key} is damaged: ${damage[0]?.detail}`);
  return { kind: "array", dtype, shape, axes, attributes, sha256: sha256(masked(bytes, dtype)) };
}

/** Four-bit integers without what their upper bits hold. */
const masked = (bytes, dtype) => (dtype === "int4" || dtype === "uint4" ? bytes.map((byte) => byte & 15) : bytes);
