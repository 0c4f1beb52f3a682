// The implementation behind the conformance protocol: node serve.mjs [--containers zarr-v3,npz]

import { existsSync } from "node:fs";
import { entryAt } from "./files.mjs";
import { CONTAINERS, session } from "./session.mjs";
import { options, talk } from "./talk.mjs";

const { containers = CONTAINERS.join() } = options();

async function load(version) {
  const built = new URL(`built/${version}.mjs`, import.meta.url);
  if (!existsSync(built)) await import("./compile.mjs");
  return existsSync(built) ? import(built.href) : null;
}

await talk(session({ entryAt, load, containers: containers.split(",") }));
