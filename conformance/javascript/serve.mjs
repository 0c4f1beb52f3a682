// The implementation behind the conformance protocol: node serve.mjs [--containers zarr-v3,npz | none] [--wrong FAULT]

import { existsSync, statSync } from "node:fs";
import { changed } from "./documents.mjs";
import { entryAt } from "./files.mjs";
import { CONTAINERS, session } from "./session.mjs";
import { options, talk } from "./talk.mjs";
import { commit } from "./wrong.mjs";

const { containers = CONTAINERS.join(), wrong = null } = options();
commit(wrong);

async function load(version) {
  const built = new URL(`built/${version}.mjs`, import.meta.url);
  if (!existsSync(built) || statSync(built).mtimeMs < changed()) await import("./compile.mjs");
  return existsSync(built) ? import(built.href) : null;
}

await talk(session({ entryAt, load, containers: CONTAINERS.filter((name) => containers.split(",").includes(name)) }));
