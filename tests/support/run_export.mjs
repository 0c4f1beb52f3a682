// Run an exported corpus: node run_export.mjs EXPORT COMMAND [ARGUMENT …]
// COMMAND is run as COMMAND ARGUMENT … PROFILE PATH for each archive, and exits with 0 (valid), 1 (invalid), 3 (not an archive).
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const [root, command, ...given] = process.argv.slice(2);
const index = JSON.parse(readFileSync(join(root, "index.json"), "utf8"));
const verdicts = { 0: "valid", 1: "invalid", 3: "refused" };
const results = {};
let failed = 0;
for (const entry of index.cases) {
  if (entry.level !== "archive" || !entry.roles.includes("validator")) continue;
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
