// The vectors of each version, by the chapter "How to judge" in JavaScript.

import assert from "node:assert/strict";
import test from "node:test";
import "./compile.mjs";
import { derived } from "./derived.mjs";
import { profiles, read, versions } from "./documents.mjs";
import { judge } from "./judge.mjs";
import { judge as judgeByHyperjump } from "./hyperjump.mjs";
import { rowSums } from "./row_sums.mjs";
import { equal, length } from "./runtime.mjs";

const VERSION = "1.0.0";
const { derived: trees } = read(VERSION, "judging_vectors.json");
const keyOf = ({ severity, rule, instance }) => `${severity} ${rule} ${instance}`;
const inOrder = (findings) => [...findings].sort((one, other) => (keyOf(one) < keyOf(other) ? -1 : 1));

for (const version of versions()) {
  const built = (await import(`./built/${version}.mjs`)).profiles;
  for (const { about, why, profile, findings, description } of read(version, "judging_vectors.json").judged) {
    test(`${version}, ${about}: ${why}`, async () => {
      assert.deepEqual(inOrder(judge(description, built[profile])), inOrder(findings));
      assert.deepEqual(inOrder(await judgeByHyperjump(description, profiles(version)[profile])), inOrder(findings));
    });
  }
}

const DERIVED = ["members", "roles", "references", "coordinate", "unused_scopes"];
for (const { why, description } of trees) {
  test(`derived: ${why}`, () => {
    const nodes = structuredClone(description.nodes);
    for (const node of Object.values(nodes)) for (const field of DERIVED) delete node[field];
    assert.deepEqual(JSON.parse(JSON.stringify(derived({ ...description, nodes }))), description);
  });
}

const DTYPES = { float64: Float64Array, float32: Float32Array, float16: Uint16Array, bfloat16: Uint16Array };
const WIDENED = {
  bfloat16: (bits) => new Float32Array(Uint32Array.of(bits << 16).buffer)[0],
  float16: (bits) => {
    const [sign, exponent, fraction] = [bits >> 15 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
    if (exponent === 31) return fraction ? NaN : sign * Infinity;
    return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -24 * fraction);
  },
};
for (const { why, dtype, shape, times = 1, base64, ...expected } of read(VERSION, "row_sum_vectors.json").row_sums) {
  test(`row sums: ${why}`, () => {
    const bytes = Buffer.from(base64, "base64");
    const stored = new DTYPES[dtype](new Uint8Array(bytes).buffer);
    const some = Float64Array.from(stored, WIDENED[dtype]);
    const values = times > 1 ? new Float64Array(times).fill(some[0]) : some;
    const { row_length: columns, ...found } = rowSums(values, shape.length ? shape.at(-1) : 1);
    assert.deepEqual(found, expected);
    assert.equal(columns, shape.length ? shape.at(-1) : 1);
  });
}

test("texts are as long as they have characters, and JSON values are equal by content", () => {
  assert.equal(length("a😀"), 2);
  assert.ok(equal({ a: [1, { b: null }] }, { a: [1, { b: null }] }));
  assert.ok(!equal([1], { 0: 1 }) && !equal([1], [1, 2]) && !equal(null, {}) && !equal({ a: 1 }, { b: 1 }));
});
