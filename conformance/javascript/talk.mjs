// Messages as lines of JSON on standard input and output. With `files.mjs`, the only module that knows Node.

import { createInterface } from "node:readline";
import { canonical, parse } from "./json.mjs";

const DEPTH = 300;

/** Answers each request until `stop`; `answer` gives the fields of the reply. */
export async function talk(answer) {
  for await (const line of createInterface({ input: process.stdin })) {
    const request = parse(line, DEPTH);
    if (request.cmd === "stop") break;
    const reply = await answer(request).catch((error) => ({ error: String(error?.stack ?? error) }));
    process.stdout.write(`${canonical({ seq: request.seq, ...reply })}\n`);
  }
}

/** The options of the command line: `--name value` → {name: value}. */
export function options() {
  const given = process.argv.slice(2);
  return Object.fromEntries(given.flatMap((word, at) => (word.startsWith("--") ? [[word.slice(2), given[at + 1]]] : [])));
}
