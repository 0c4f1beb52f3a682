// Builds the page into built/: two scripts, the style sheet, the page itself, and the licences of what is in the scripts.

import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const target = join(here, "built");
const MOST = 2_500_000;

rmSync(target, { recursive: true, force: true });
mkdirSync(target);
const result = await build({
  absWorkingDir: here,
  entryPoints: { main: "src/main.mjs", worker: "src/worker.mjs" },
  outdir: target,
  bundle: true,
  format: "esm",
  minify: true,
  target: "es2022",
  charset: "utf8",
  legalComments: "none",
  plugins: [{ name: "rules", setup }],
  metafile: true,
});
for (const name of ["index.html", "page.css"]) copyFileSync(join(here, "src", name), join(target, name));
writeFileSync(join(target, "licences.txt"), licences(Object.keys(result.metafile.inputs)));

const size = readdirSync(target).reduce((sum, name) => sum + statSync(join(target, name)).size, 0);
if (size > MOST) throw new Error(`expected at most ${MOST} bytes, found ${size}`);
console.log(`${target}: ${size} bytes`);

/** Lets a script import `rules:VERSION`: the clause and the fix of every rule of a version, by its id. */
function setup(build) {
  build.onResolve({ filter: /^rules:/ }, ({ path }) => ({ path, namespace: "rules" }));
  build.onLoad({ filter: /.*/, namespace: "rules" }, ({ path }) => ({ contents: JSON.stringify(rulesOf(path.slice("rules:".length))), loader: "json" }));
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
  const folder = join(here, "../../spec", version);
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
