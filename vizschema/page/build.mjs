// Builds the page into built/: scripts, the style sheet, the page itself, and the licences of what is in the scripts.

import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { canonical } from "../../conformance/javascript/json.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const target = join(here, "built");
const spec = join(here, "../../spec");
const versions = readdirSync(spec).filter((name) => /^[0-9]+[.][0-9]+[.][0-9]+$/.test(name)).sort((one, other) => one.localeCompare(other, "en", { numeric: true }));
const MOST = 2_500_000;
const POLICY = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self' http: https:; worker-src 'self'; base-uri 'none'; form-action 'none'";

rmSync(target, { recursive: true, force: true });
mkdirSync(target);
const result = await build({
  absWorkingDir: here,
  entryPoints: { main: "src/main.mjs", worker: "src/worker.mjs" },
  outdir: target,
  bundle: true,
  splitting: true,
  chunkNames: "part-[hash]",
  format: "esm",
  minify: true,
  target: "es2022",
  charset: "utf8",
  legalComments: "none",
  plugins: [{ name: "rules", setup }],
  metafile: true,
});
copyFileSync(join(here, "src", "page.css"), join(target, "page.css"));
const page = readFileSync(join(here, "src", "index.html"), "utf8");
// The page that `vizschema view` serves, with a policy in its headers, and the one of a site, which carries its own.
writeFileSync(join(target, "index.html"), page.replace("<!-- policy -->\n", "").replace("<html ", "<html data-served "));
writeFileSync(join(target, "site.html"), page.replace("<!-- policy -->", `<meta http-equiv="Content-Security-Policy" content="${POLICY}">`));
writeFileSync(join(target, "licences.txt"), licences(Object.keys(result.metafile.inputs)));

const size = readdirSync(target).reduce((sum, name) => sum + statSync(join(target, name)).size, 0);
if (size > MOST) throw new Error(`expected at most ${MOST} bytes, found ${size}`);
console.log(`${target}: ${size} bytes`);

/** Lets a script import `rules:all`, the clause and the fix of every rule by version and id, and `versions:all`, what judges by each version. */
function setup(build) {
  build.onResolve({ filter: /^(rules|versions):all$/ }, ({ path }) => ({ path, namespace: path.split(":")[0] }));
  build.onLoad({ filter: /.*/, namespace: "rules" }, () => ({ contents: JSON.stringify(Object.fromEntries(versions.map((version) => [version, rulesOf(version)]))), loader: "json" }));
  const built = (version) => JSON.stringify(join(here, "../../conformance/javascript/built", `${version}.mjs`));
  const contents = `export const views = ${JSON.stringify(viewsOfAll())}; export const digests = ${JSON.stringify(Object.fromEntries(versions.map((version) => [version, digestsOf(version)])))}; export default {${versions.map((version) => `"${version}": () => import(${built(version)})`).join(", ")}};`;
  build.onLoad({ filter: /.*/, namespace: "versions" }, () => ({ contents, resolveDir: here }));
}

/** How the tables of all profiles show arrays: version → profile → [{at, view}], those of what it extends last. */
function viewsOfAll() {
  const read = (version, name) => {
    const file = [version, ...versions].map((each) => join(spec, each, name, "facts.json")).find(existsSync);
    const { extends: others = [], views = [] } = JSON.parse(readFileSync(file, "utf8"));
    return [...views, ...others.flatMap((other) => read(version, other))];
  };
  const names = (version) => readdirSync(join(spec, version)).filter((name) => existsSync(join(spec, version, name, "must.schema.json")));
  return Object.fromEntries(versions.map((version) => [version, Object.fromEntries(names(version).map((name) => [name, read(version, name)]))]));
}

/** The digest of a version, made of all its files, and those of its profiles, made of their documents. */
function digestsOf(version) {
  const folder = join(spec, version);
  const sha256 = (content) => createHash("sha256").update(content).digest("hex");
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).map((entry) => relative(folder, join(entry.parentPath ?? entry.path, entry.name)).split(sep));
  files.sort((one, other) => {
    const at = one.findIndex((step, place) => step !== other[place]);
    return other[at] === undefined ? 1 : one[at] < other[at] ? -1 : 1;
  });
  const listing = files.map((steps) => `${sha256(readFileSync(join(folder, ...steps)))}  ${steps.join("/")}\n`).join("");
  const documents = { must: "must.schema.json", should: "should.schema.json", facts: "facts.json" };
  const own = (name) => Object.fromEntries(Object.entries(documents).map(([key, file]) => [key, join(folder, name, file)]).filter(([, path]) => existsSync(path)).map(([key, path]) => [key, JSON.parse(readFileSync(path, "utf8"))]));
  const names = readdirSync(folder).filter((name) => existsSync(join(folder, name, documents.must)));
  return { spec: `sha256:${sha256(listing)}`, profiles: Object.fromEntries(names.map((name) => [name, `sha256:${sha256(canonical(own(name)))}`])) };
}

function rulesOf(version) {
  const rules = {};
  const walk = (schema) => {
    if (schema === null || typeof schema !== "object") return;
    const { $anchor, title, description } = schema;
    if (typeof $anchor === "string" && typeof title === "string" && typeof description === "string")
      rules[$anchor] = { title, fix: description.split("Fix: ").at(-1) };
    Object.values(schema).forEach(walk);
  };
  const folder = join(spec, version);
  for (const name of readdirSync(folder, { recursive: true })) if (name.endsWith(".schema.json")) walk(JSON.parse(readFileSync(join(folder, name), "utf8")));
  return rules;
}

/** The licence of every package of which a file is in the scripts; an error where one has none. */
function licences(inputs) {
  const packages = new Set(inputs.map((path) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1]).filter(Boolean));
  return [...packages].sort().map((path) => {
    const folder = join(here, path);
    const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    const file = readdirSync(folder).find((each) => /^licen[cs]e/i.test(each));
    if (!file && !license) throw new Error(`${name}: expected a licence, found none`);
    const text = file && existsSync(join(folder, file)) ? readFileSync(join(folder, file), "utf8") : `Licence: ${license}`;
    return `${name} ${version}\n\n${text.trim()}\n`;
  }).join(`\n${"-".repeat(80)}\n\n`);
}
