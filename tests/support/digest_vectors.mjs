// Computes from what spec/1.0.0/digest_vectors.json gives what it expects, by spec/1.0.0/digest.md: node digest_vectors.mjs FILE
import { readFileSync } from "node:fs";
import { blake3 } from "./blake3.mjs";

const BLOCK = 1 << 20, FAN_OUT = 1024;
const cut = (list, size) => Array.from({ length: Math.ceil(list.length / size) }, (_, i) => list.slice(i * size, (i + 1) * size));
const root = (hashes) => hashes.length > 1 ? root(cut(hashes, FAN_OUT).map((run) => blake3(Buffer.concat(run)))) : hashes[0] ?? blake3([]);

function canonical(value) {
  if (Number.isInteger(value) && value >= -(2 ** 63) && value < 2 ** 64) return String(BigInt(value));
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if ("$integer" in value) return value.$integer; // a number that no double holds
  return `{${Object.keys(value).sort().map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`).join(",")}}`;
}

const bytesOf = ({ base64, counting }) => Uint8Array.from(base64 === undefined ? { length: counting } : Buffer.from(base64, "base64"), (byte, i) => byte ?? i % 251);
const { archives, trees } = JSON.parse(readFileSync(process.argv[2]));
const results = archives.map(({ nodes }) => {
  const blocks = {}, values = {}, hashes = {}, alone = [];
  for (const [path, { data, ...node }] of Object.entries(nodes)) {
    if (data) blocks[path] = cut(bytesOf(data), BLOCK).map(blake3);
    if (data) node.values = (values[path] = root(blocks[path])).toString("hex");
    hashes[path] = blake3(Buffer.from(canonical({ path, ...node })));
    const { attributes, ...bare } = node;
    if (data) alone.push(blake3(Buffer.from(canonical({ path, ...bare }))));
  }
  const over = (list) => blake3(Buffer.concat(list.sort(Buffer.compare))).toString("hex");
  return { blocks, values, hashes, digest: `vz1:blake3:${over(Object.values(hashes))}`, values_digest: `vz1-values:blake3:${over(alone)}` };
});
const roots = trees.map(({ leaves }) => root(Array.from({ length: leaves }, (_, i) => blake3(Buffer.from(String(i))))));
console.log(JSON.stringify({ archives: results, trees: roots }, (_, value) => (value?.type === "Buffer" ? Buffer.from(value.data).toString("hex") : value)));
