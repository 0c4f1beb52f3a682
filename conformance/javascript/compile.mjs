// Compiles the schemas of each version ahead, to `built/VERSION.mjs`, which needs no `eval`: node compile.mjs

import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";
import standalone from "ajv/dist/standalone/index.js";
import { documents, facts, profiles, versions } from "./documents.mjs";
import { labelled } from "./labelled.mjs";

// Strict mode throws or warns where the schemas are right; errors must show the subschema with its rule (`verbose`).
const OPTIONS = { strict: false, allErrors: true, verbose: true, inlineRefs: false, code: { source: true, esm: true } };
const RUNTIME = { 'require("ajv/dist/runtime/equal").default': "equal", 'require("ajv/dist/runtime/ucs2length").default': "length" };

// Ajv copies all errors so far with each call that has some: quadratic in their number. They are added in place instead.
const JOINED = /vErrors === null \? (\w+\.errors) : vErrors\.concat\(\1\)/g;

/** The text of a module whose `profiles` has the functions of each profile of a version, for `judge`, and `facts` what to measure. */
export function moduleOf(version) {
  const ajv = new Ajv2020(OPTIONS);
  for (const schema of Object.values(documents())) ajv.addSchema(labelled(schema));
  const names = {};
  const entries = Object.entries(profiles(version)).map(([profile, schemas]) => {
    const pairs = schemas.map(([url, severity]) => {
      names[`${profile}_${severity}`] = url;
      return `[${profile}_${severity}, "${severity}"]`;
    });
    return `  ${profile}: [${pairs.join(", ")}],\n`;
  });
  let code = standalone.default(ajv, names).replace('"use strict";', "").replace(JOINED, "joined(vErrors, $1)");
  for (const [required, own] of Object.entries(RUNTIME)) code = code.replaceAll(required, own);
  if (code.includes("require(")) throw new Error("the code of Ajv needs more than runtime.mjs has");
  return `import { equal, joined, length } from "../runtime.mjs";\n${code}\nexport const profiles = {\n${entries.join("")}};\nexport const facts = ${JSON.stringify(facts(version))};\n`;
}

const folder = new URL("built/", import.meta.url);
mkdirSync(folder, { recursive: true });
for (const version of versions()) {
  const part = new URL(`${version}.${process.pid}.part`, folder);
  writeFileSync(part, moduleOf(version));
  renameSync(part, new URL(`${version}.mjs`, folder)); // whole at once: another process may read it
}
