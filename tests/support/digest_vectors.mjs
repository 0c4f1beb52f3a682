// Computes from what spec/1.0.0/digest_vectors.json gives what it expects, by spec/1.0.0/digest.md: node digest_vectors.mjs FILE
import { readFileSync } from "node:fs";
import { blake3, hex } from "../../conformance/javascript/blake3.mjs";
import { blocksOf, digestOf, root } from "../../conformance/javascript/digest.mjs";

const integers = (value) => {
  if (Array.isArray(value)) return value.map(integers);
  if (typeof value !== "object" || value === null) return value;
  if ("$integer" in value) return BigInt(value.$integer); // a number that no double holds
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, integers(each)]));
};
const all = (hashes) => Object.fromEntries(Object.entries(hashes).map(([path, each]) => [path, hex(each)]));

const bytesOf = ({ base64, counting }) => Uint8Array.from(base64 === undefined ? { length: counting } : Buffer.from(base64, "base64"), (byte, i) => byte ?? i % 251);
const { archives, trees } = JSON.parse(readFileSync(process.argv[2]));
const results = archives.map(({ nodes }) => {
  const blocks = {}, values = {}, parts = {};
  for (const [path, { data, ...node }] of Object.entries(nodes)) {
    if (data) blocks[path] = blocksOf(bytesOf(data));
    if (data) node.values = values[path] = hex(root(blocks[path]));
    parts[path] = integers(node);
  }
  const { hashes, ...digests } = digestOf(parts);
  return { blocks: Object.fromEntries(Object.entries(blocks).map(([path, each]) => [path, each.map(hex)])), values, hashes: all(hashes), ...digests };
});
const roots = trees.map(({ leaves }) => hex(root(Array.from({ length: leaves }, (_, i) => blake3(Buffer.from(String(i)))))));
console.log(JSON.stringify({ archives: results, trees: roots }));
