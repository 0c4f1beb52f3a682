// Judges descriptions, one a line on standard input, by an engine: node engines.mjs ajv | hyperjump
// A line is {"version", "profile", "description"}; the reply to it is a line with the findings.

import { createInterface } from "node:readline";
import { profiles } from "./documents.mjs";

const ENGINES = {
  async ajv() {
    await import("./compile.mjs");
    const { judge } = await import("./judge.mjs");
    const built = {};
    return async ({ version, profile, description }) => {
      built[version] ??= await import(`./built/${version}.mjs`);
      return judge(description, built[version].profiles[profile]);
    };
  },
  async hyperjump() {
    const { judge } = await import("./hyperjump.mjs");
    const known = {};
    return ({ version, profile, description }) => judge(description, (known[version] ??= profiles(version))[profile]);
  },
};

const judge = await ENGINES[process.argv[2]]();
for await (const line of createInterface({ input: process.stdin })) {
  const reply = await judge(JSON.parse(line));
  console.log(JSON.stringify(reply));
}
