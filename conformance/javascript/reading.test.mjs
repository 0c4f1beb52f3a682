// Archives made in memory, read as in a page: entries that are no files, and modules that know no Node.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { deflateRawSync, deflateSync, gzipSync } from "node:zlib";
import { crc32, crc32c, xxh64 } from "./checksums.mjs";
import { bzip2, gzip, lz4Block, zlib } from "./compressors.mjs";
import { describe } from "./describe.mjs";
import { digestOfTree } from "./digest.mjs";
import { canonical, parse } from "./json.mjs";
import { lookup3 } from "./hdf5_bytes.mjs";
import { lzma } from "./lzma.mjs";
import { md5 } from "./md5.mjs";
import { open } from "./opening.mjs";
import { sha256 } from "./sha256.mjs";
import { commit } from "./wrong.mjs";
import { valueOf, treeOf } from "./yaml.mjs";

const bytesOf = (content) => (content instanceof Uint8Array ? Uint8Array.from(content) : new TextEncoder().encode(typeof content === "string" ? content : JSON.stringify(content)));

/** An entry of a file in memory. */
function fileOf(content, name = "") {
  const bytes = bytesOf(content);
  return { name, type: "file", size: bytes.length, read: async (start = 0, length = bytes.length) => bytes.subarray(start, start + length) };
}

/** An entry of a folder, from an object of paths and contents. */
function folderOf(files) {
  const root = { name: "", type: "folder", size: 0, members: new Map(), list: async () => root.members };
  for (const [path, content] of Object.entries(files)) {
    const steps = path.split("/");
    let here = root;
    for (const step of steps.slice(0, -1)) {
      if (!here.members.has(step)) {
        const made = { name: step, type: "folder", size: 0, members: new Map(), list: async () => made.members };
        here.members.set(step, made);
      }
      here = here.members.get(step);
    }
    here.members.set(steps.at(-1), fileOf(content, steps.at(-1)));
  }
  return root;
}

const GROUP = { zarr_format: 3, node_type: "group", attributes: {} };
const ARRAY = {
  zarr_format: 3, node_type: "array", shape: [2, 3], data_type: "float32", chunk_grid: { name: "regular", configuration: { chunk_shape: [2, 2] } },
  chunk_key_encoding: { name: "default" }, fill_value: 0.25, codecs: [{ name: "bytes", configuration: { endian: "big" } }], dimension_names: ["x", "y:key"],
};
const FACTS = [{ at: "^/", measure: ["non_finite", "range", "constant"] }, { at: "^/a$", measure: ["row_sum"] }];
const bigFloats = (...values) => {
  const view = new DataView(new ArrayBuffer(4 * values.length));
  values.forEach((value, at) => view.setFloat32(4 * at, value));
  return new Uint8Array(view.buffer);
};

test("a chunk of another byte order, and one that was never written", async () => {
  const tree = await open(folderOf({ "zarr.json": GROUP, "a/zarr.json": ARRAY, "a/c/0/0": bigFloats(1, 2, 3, 4), "a/notes.txt": "x" }));
  const { nodes, axes } = await describe(tree, FACTS);
  const { facts, storage, roles } = nodes["/a"];
  assert.deepEqual(storage.chunk_of, { x: 2, "y:key": 2 });
  assert.deepEqual({ ...roles }, { key: ["y"] });
  assert.equal(axes.y[3].count, 1);
  assert.deepEqual([facts.minimum, facts.maximum, facts.absent_chunks, facts.stray], [0.25, 4, 1, ["notes.txt"]]);
  assert.deepEqual(new Float32Array((await tree.sources.get("/a").read()).bytes.buffer), Float32Array.of(1, 2, 0.25, 3, 4, 0.25));
});

test("the digest of an archive, and what faults by name make of its values", async () => {
  const files = folderOf({ "zarr.json": GROUP, "a/zarr.json": ARRAY, "a/c/0/0": bigFloats(1, 2, 3, 4) });
  assert.equal(await digestOfTree(await open(files)), "vz1:blake3:05aade9a029903077004358764db004d0a838539d6a2685b7770a0e609d5e59b");
  const values = async () => new Float32Array((await (await open(files)).sources.get("/a").read()).bytes.buffer);
  try {
    commit("fill");
    assert.deepEqual(await values(), Float32Array.of(1, 2, 0, 3, 4, 0));
    commit("byte-order");
    assert.notEqual((await values())[0], 1);
    assert.throws(() => commit("none"), /expected one of byte-order/);
  } finally {
    commit(null);
  }
});

test("a chunk that is too short is damaged, and its entries are in no fact", async () => {
  const tree = await open(folderOf({ "zarr.json": GROUP, "a/zarr.json": ARRAY, "a/c/0/0": bigFloats(9), "a/c/0/1": bigFloats(1, 0, 1, 0) }));
  const { facts } = (await describe(tree, FACTS)).nodes["/a"];
  assert.deepEqual([facts.maximum, facts.row_sum_maximum, facts.constant], [1, null, false]);
  assert.deepEqual(facts.damaged_chunks.map(({ key, reason }) => [key, reason]), [["c/0/0", "truncated"]]);
});

test("chunks under the keys of another encoding are misplaced", async () => {
  const tree = await open(folderOf({ "zarr.json": GROUP, "a/zarr.json": ARRAY, "a/0.0": bigFloats(1, 2, 3, 4) }));
  const { facts } = (await describe(tree, FACTS)).nodes["/a"];
  assert.deepEqual([facts.damaged_chunks[0].reason, facts.absent_chunks, facts.minimum], ["misplaced", 0, null]);
});

test("version 2 in Fortran order, shuffled by a filter", async () => {
  const array = { zarr_format: 2, shape: [2, 3], chunks: [2, 3], dtype: "<u2", compressor: { id: "zlib", level: 1 }, filters: [{ id: "shuffle", elementsize: 2 }], fill_value: null, order: "F" };
  const chunk = deflateSync(Uint8Array.of(0, 3, 1, 4, 2, 5, 0, 0, 0, 0, 0, 1));
  const tree = await open(folderOf({ ".zgroup": { zarr_format: 2 }, "a/.zarray": array, "a/.zattrs": { _ARRAY_DIMENSIONS: ["x", "y"], stored_dtype: "bfloat16" }, "a/0.0": chunk }));
  assert.deepEqual((await describe(tree)).nodes["/a"].dtype, "bfloat16");
  assert.deepEqual(new Uint16Array((await tree.sources.get("/a").read()).bytes.buffer), Uint16Array.of(0, 1, 2, 3, 4, 261));
});

test("a document with a name twice, and a consolidated copy that differs", async () => {
  const root = { ...GROUP, consolidated_metadata: { kind: "inline", must_understand: false, metadata: { a: { ...ARRAY, shape: [3, 3] } } } };
  const tree = await open(folderOf({ "zarr.json": root, "a/zarr.json": ARRAY, "b/zarr.json": '{"zarr_format": 3, "zarr_format": 3}' }));
  const { nodes } = await describe(tree);
  assert.deepEqual([nodes["/a"].reason, nodes["/b"].reason], ["metadata-conflict", "metadata-malformed"]);
});

/** A zip file of stored members; `deflated` ones are packed. */
function zipOf(members, { deflated = false } = {}) {
  const parts = [];
  const directory = [];
  let at = 0;
  for (const [name, content] of Object.entries(members)) {
    const [raw, whole] = [bytesOf(name), bytesOf(content)];
    const packed = deflated ? deflateRawSync(whole) : whole;
    const numbers = Buffer.alloc(26);
    numbers.writeUInt16LE(20, 0);
    numbers.writeUInt16LE(deflated ? 8 : 0, 4);
    [crc32(whole), packed.length, whole.length].forEach((value, each) => numbers.writeUInt32LE(value, 10 + 4 * each));
    numbers.writeUInt16LE(raw.length, 22);
    const local = Buffer.concat([Buffer.from("PK\x03\x04"), numbers, raw, packed]);
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE(at, 10);
    directory.push(Buffer.concat([Buffer.from("PK\x01\x02\x14\x00", "latin1"), numbers, rest, raw]));
    parts.push(local);
    at += local.length;
  }
  const central = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write("PK\x05\x06", "latin1");
  [10, 8].forEach((place) => end.writeUInt16LE(directory.length, place));
  end.writeUInt32LE(central.length, 12);
  end.writeUInt32LE(at, 16);
  return Uint8Array.from(Buffer.concat([...parts, central, end]));
}

const npy = (header, ...values) => Buffer.concat([Buffer.from("\x93NUMPY\x01\x00", "latin1"), Buffer.from(Uint16Array.of(header.length).buffer), Buffer.from(header), Buffer.from(bigFloats(...values))]);
const HEADER = "{'descr': '>f4', 'fortran_order': True, 'shape': (2, 2), }";

test("NPZ: axes by its document, values in Fortran order", async () => {
  const account = { nodes: { "/": { kind: "group", attributes: { seed: 1 } }, "/g/a": { kind: "array", axes: ["x", null] } } };
  for (const deflated of [false, true]) {
    const tree = await open(fileOf(zipOf({ "vizschema.json": account, "g/a.npy": npy(HEADER, 1, 2, 3, 4) }, { deflated })));
    const { nodes, container } = await describe(tree, FACTS);
    assert.equal(container.readings, undefined);
    assert.deepEqual([nodes["/"].attributes.seed, nodes["/g/a"].axes, nodes["/g/a"].facts.maximum], [1, ["x", null], 4]);
    assert.deepEqual(new Float32Array((await tree.sources.get("/g/a").read()).bytes.buffer), Float32Array.of(1, 3, 2, 4));
  }
});

test("a header of `.npy` is never evaluated, and bytes between members are a second reading", async () => {
  const tree = await open(fileOf(zipOf({ "a.npy": npy("__import__('os')", 1) })));
  assert.equal((await describe(tree)).nodes["/a"].reason, "metadata-malformed");
  const zip = zipOf({ "a.npy": npy(HEADER, 1, 2, 3, 4) });
  assert.equal((await open(fileOf(Uint8Array.from([...zip, 60])))).container.readings.length, 1);
  assert.equal(await open(fileOf(zip.subarray(0, -9))), null);
});

test("safetensors: a tensor, and its axes in the text of the header", async () => {
  const text = JSON.stringify({ nodes: { "/a": { kind: "array", axes: ["x"] } } });
  const header = bytesOf({ __metadata__: { vizschema: text }, a: { dtype: "BF16", shape: [2], data_offsets: [0, 4] } });
  const length = new Uint8Array(BigUint64Array.of(BigInt(header.length)).buffer);
  const tree = await open(fileOf(Uint8Array.from([...length, ...header, 0x80, 0x3f, 0, 0x40])));
  const node = (await describe(tree, FACTS)).nodes["/a"];
  assert.deepEqual([node.dtype, node.axes, node.facts.minimum, node.facts.maximum], ["bfloat16", ["x"], 1, 2]);
});

test("ASDF: a block, an alias and a tag that names an object of Python", async () => {
  const tree = "#ASDF 1.0.0\n#ASDF_STANDARD 1.6.0\n%YAML 1.1\n%TAG ! tag:stsci.edu:asdf/\n--- !core/asdf-1.1.0\n" +
    "g: &g {attributes: {a: 9007199254740993, b: \"1e3\", c: yes}}\nh: *g\np: !<tag:yaml.org,2002:python/object:os.system> {}\n" +
    "a:\n  data: !core/ndarray-1.1.0\n    source: 0\n    datatype: int16\n    byteorder: big\n    shape: [2]\n  axes: [x]\nnote: text\n...\n";
  const header = Buffer.alloc(54);
  Buffer.from([0xd3, 0x42, 0x4c, 0x4b, 0, 48]).copy(header);
  [14, 22, 30].forEach((place) => header.writeBigUInt64BE(4n, place));
  const { nodes } = await describe(await open(fileOf(Uint8Array.from([...bytesOf(tree), ...header, 0, 5, 255, 255]))), FACTS);
  assert.deepEqual({ ...nodes["/g"].attributes }, { a: 9007199254740993n, b: "1e3", c: true });
  assert.deepEqual([nodes["/h"].reason, nodes["/p"].reason, nodes["/"].stray], ["internal-link", "pickle", ["note"]]);
  assert.deepEqual([nodes["/a"].axes, nodes["/a"].facts.minimum, nodes["/a"].facts.maximum], [["x"], -1, 5]);
});

test("ASDF: a list is a group where there is a node in it, or in a list in it", async () => {
  const tree = "#ASDF 1.0.0\n#ASDF_STANDARD 1.6.0\n%YAML 1.1\n%TAG ! tag:stsci.edu:asdf/\n--- !core/asdf-1.1.0\n" +
    "a: &a [x]\nb: [*a, *a]\nc: [[1], [2, [3]]]\nd: [[{}], 1]\n...\n";
  const { nodes } = await describe(await open(fileOf(bytesOf(tree))));
  assert.deepEqual([Object.keys(nodes), nodes["/"].stray, nodes["/d"].stray], [["/", "/d", "/d/0", "/d/0/0"], ["a", "b", "c"], ["1"]]);
});

test("YAML 1.1: flat lists are followed, other aliases are not; keys twice are seen", () => {
  assert.deepEqual({ ...valueOf(treeOf("a: &a [1, 0x1F, 1.5, ~]\nb: *a")).b }, { 0: 1, 1: 31, 2: 1.5, 3: null });
  assert.equal(valueOf(treeOf("a: &a {b: 1}\nc: *a")), undefined);
  assert.equal(treeOf("{a: 1, a: 2}").twice, true);
});

test("JSON: all digits of long numbers, and nothing that is not JSON", () => {
  assert.equal(canonical(parse('{"b": 18446744073709551615, "a": [1.0, 1e30, 5e-324, -0]}')), '{"a":[1,1e+30,5e-324,0],"b":18446744073709551615}');
  for (const text of ['{"a": 1, "\\u0061": 2}', "[NaN]", "[1e999]", '"\\ud800"', "[1] [2]", "[01]", "[1,]", '{"a" 1}', "\ufeff1", ""])
    assert.throws(() => parse(text), { reason: "metadata-malformed" }, text);
  assert.throws(() => parse("[".repeat(1_000_000)), { reason: "over-limit" });
});

test("streams are bounded by what is expected, and their checksums are compared", () => {
  const content = bytesOf("abcdefgh".repeat(99));
  assert.deepEqual(gzip(gzipSync(content), content.length), content);
  assert.deepEqual(zlib(deflateSync(content), null), content);
  assert.throws(() => gzip(gzipSync(content), 9), { reason: "wrong-length" });
  const changed = deflateSync(content);
  changed[changed.length - 1] ^= 1;
  assert.throws(() => zlib(changed, content.length), { reason: "checksum" });
  assert.throws(() => lz4Block(Uint8Array.of(0x10, 97, 9, 0), 8), { reason: "undecodable" });
  const bz = Buffer.from("QlpoOTFBWSZTWYClz3EAAA/BAAgAOAAgACComgzTSnZCjaROQ8XckU4UJCApc9xA", "base64");
  assert.equal(Buffer.from(bzip2(bz, null)).toString(), "abcabcab".repeat(9) + "aaaaaaa");
  assert.throws(() => bzip2(bz, 1), { reason: "wrong-length" });
  const xz = Buffer.from("/Td6WFoAAATm1rRGAgAhARYAAAB0L+WjAQACYWJjAAAndicaSgnYLAABGwMLL7kQH7bzfQEAAAAABFla", "base64");
  assert.equal(Buffer.from(lzma(xz, 3)).toString(), "abc");
  assert.throws(() => lzma(xz, 2), { reason: "wrong-length" });
});

test("checksums of the literature", () => {
  const text = bytesOf("123456789");
  assert.deepEqual([crc32(text), crc32c(text)], [0xcbf43926, 0xe3069283]);
  assert.equal(xxh64(bytesOf("")), 0xef46db3751d8e999n);
  assert.equal(xxh64(bytesOf("Nobody inspects the spammish repetition")), 0xfbcea83c8a378bf1n);
  assert.equal(lookup3(bytesOf("Four score and seven years ago")), 0x17770551);
  for (const length of [0, 3, 55, 56, 64, 1000]) {
    const bytes = Uint8Array.from({ length }, (_, at) => at);
    assert.equal(sha256(bytes), createHash("sha256").update(bytes).digest("hex"));
    assert.equal(Buffer.from(md5(bytes)).toString("hex"), createHash("md5").update(bytes).digest("hex"));
  }
});

const HERE = new URL(".", import.meta.url);
const NODE = new Set(["files.mjs", "talk.mjs", "serve.mjs", "compile.mjs", "documents.mjs", "engines.mjs"]);

test("only two modules of the reference, and those that start or build it, know Node", () => {
  const names = readdirSync(HERE).filter((name) => name.endsWith(".mjs") && !name.endsWith(".test.mjs"));
  const knowing = names.filter((name) => /from "node:|\bprocess\b|\bBuffer\b/.test(readFileSync(new URL(name, HERE), "utf8")));
  assert.deepEqual(knowing.filter((name) => !NODE.has(name)), []);
});

test("the protocol, in a process in which no text becomes code", () => {
  const folder = mkdtempSync(join(tmpdir(), "reference-"));
  try {
    const path = join(folder, "a.npz");
    writeFileSync(path, zipOf({ "a.npy": npy(HEADER, 1, 2, 3, 4) }));
    const requests = [
      { cmd: "hello", protocol: 1 }, { cmd: "spec", version: "1.0.0" }, { cmd: "validate", path, profile: "trace", values: true }, { cmd: "read", path },
      { cmd: "validate", path: join(folder, "none"), profile: "trace", values: true }, { cmd: "validate", path, profile: "none", values: true }, { cmd: "stop" },
    ];
    const input = requests.map((request, seq) => `${JSON.stringify({ seq, ...request })}\n`).join("");
    const options = ["--disallow-code-generation-from-strings", new URL("serve.mjs", HERE).pathname];
    const replies = execFileSync(process.execPath, options, { input, encoding: "utf8" }).trim().split("\n").map((line) => JSON.parse(line));
    assert.deepEqual(replies.map(({ seq }) => seq), [0, 1, 2, 3, 4, 5]);
    assert.deepEqual([replies[0].roles, replies[1].ok, replies[2].verdict, replies[4].verdict], [["validator", "reader"], true, "invalid", "refused"]);
    assert.equal(replies[3].nodes["/a"].sha256, sha256(new Uint8Array(Float32Array.of(1, 3, 2, 4).buffer)));
    assert.match(replies[5].error, /profile/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
