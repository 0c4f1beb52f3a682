// Run an exported corpus: node run_export.mjs EXPORT COMMAND [ARGUMENT …]
// COMMAND is run as COMMAND ARGUMENT … PROFILE PATH for each archive, and exits with 0 (valid), 1 (invalid), 3 (not an archive).
// Pipes and giants are made by their recipes; sockets and devices, which need rights or a listener, are not asked.
import { spawnSync } from "node:child_process";
import { ftruncateSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";

function make(path, { make: kind, size, parts }) {
  rmSync(path, { force: true });
  if (kind === "pipe") return spawnSync("mkfifo", [path]);
  const file = openSync(path, "w");
  ftruncateSync(file, size);
  for (const { at, hex, byte, count } of parts) writeSync(file, hex ? Buffer.from(hex, "hex") : Buffer.alloc(count, byte), 0, null, at);
}

const [root, command, ...given] = process.argv.slice(2);
const index = JSON.parse(readFileSync(join(root, "index.json"), "utf8"));
const verdicts = { 0: "valid", 1: "invalid", 3: "refused" };
const results = {};
let failed = 0;
for (const entry of [...index.cases, ...index.left_out]) {
  if (entry.level !== "archive" || !entry.roles.includes("validator")) continue;
  const steps = entry.recipe ?? [];
  if (steps.some((step) => !["pipe", "file"].includes(step.make))) continue;
  for (const step of steps) make(join(root, step.path), step);
  const child = spawnSync(command, [...given, entry.profile, join(root, entry.path)], { stdio: "ignore" });
  const found = verdicts[child.status] ?? `exit ${child.status}`;
  results[`${entry.case} [${entry.container}]`] = found;
  if (found !== entry.verdict) {
    failed += 1;
    console.error(`${entry.case} [${entry.container}]: expected ${entry.verdict}, found ${found}`);
  }
}
console.log(JSON.stringify({ corpus: index.corpus, failed, results }));
process.exit(failed ? 1 : 0);
