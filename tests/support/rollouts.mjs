// Prints for each [path, nodes, views] of standard input what a rollout there is made of, as the page finds it.

import { readFileSync } from "node:fs";
import { rolloutOf } from "../../vizschema/page/src/rollout.mjs";

const given = JSON.parse(readFileSync(0, "utf8"));
console.log(JSON.stringify(given.map((each) => rolloutOf(...each))));
