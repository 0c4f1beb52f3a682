// The page: asks the worker, shows the verdict, the tree and slices of arrays. Text is only ever set as text.

import rules from "rules:1.0.0";
import { isNumber } from "./numbers.mjs";
import { showArray } from "./array.mjs";
import { showTree } from "./tree.mjs";

const SILENT = 30_000;
const PLACES = 100;
const choose = new Map();
const element = (id) => document.getElementById(id);
const base = new URL(".", location.href).href;

class Reader {
  constructor() {
    this.number = 0;
    this.waiting = new Map();
    this.begin();
  }

  begin() {
    this.worker = new Worker("worker.js", { type: "module" });
    this.worker.onmessage = ({ data }) => this.settle(data);
    this.worker.onerror = () => this.end("the worker ended");
  }

  /** Asks the worker, and ends it if it says nothing for too long. */
  ask(cmd, more = {}) {
    const id = ++this.number;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.listen();
      this.worker.postMessage({ id, cmd, ...more });
    });
  }

  /** Waits for answers, from the start again after everything that the worker reads. */
  listen() {
    clearTimeout(this.timer);
    if (this.waiting.size) this.timer = setTimeout(() => this.end(`nothing was read for ${SILENT / 1000} seconds`), SILENT);
  }

  settle({ id, error, ...answer }) {
    const asked = this.waiting.get(id);
    if (asked) this.waiting.delete(id);
    this.listen();
    if (!asked) return;
    if (error === undefined) asked.resolve(answer);
    else asked.reject(new Error(error));
  }

  /** Ends the worker; another one opens the archive again before it is asked for anything else. */
  end(reason) {
    this.worker.terminate();
    const waiting = [...this.waiting.values()];
    this.waiting.clear();
    this.listen();
    for (const { reject } of waiting) reject(new Error(reason));
    this.begin();
    this.ask("open", { base }).catch(() => {});
  }
}

const reader = new Reader();

function made(tag, ...parts) {
  const found = document.createElement(tag);
  found.append(...parts);
  return found;
}

/** A broken rule: its clause, how to fix it, and the first places, of which arrays can be chosen. */
function ruleItem(group) {
  const { rule, severity } = group[0];
  const { title = "", fix = "" } = rules[rule] ?? {};
  const kind = made("span", severity);
  kind.className = severity;
  const places = group.slice(0, PLACES).map(({ path }) => {
    const button = made("button", path);
    button.type = "button";
    button.disabled = !choose.has(path);
    button.addEventListener("click", () => choose.get(path)());
    return made("li", button);
  });
  if (group.length > PLACES) places.push(made("li", `${group.length - PLACES} more`));
  const summary = made("summary", kind, ` ${rule} (${group.length})`);
  return made("li", made("details", summary, made("p", title), made("p", made("strong", "Fix: "), fix), made("ul", ...places)));
}

function showVerdict({ profile, findings }, values) {
  const errors = findings.filter(({ severity }) => severity === "error").length;
  const words = errors ? "does not conform" : values ? "conforms" : "structure conforms";
  const verdict = element("verdict-words");
  verdict.textContent = `${words}, by the profile ${profile} of 1.0.0${values ? "" : "; values not read"}`;
  verdict.className = errors ? "bad" : "good";
  const groups = new Map();
  for (const finding of findings) groups.set(finding.rule, [...(groups.get(finding.rule) ?? []), finding]);
  element("findings").replaceChildren(...[...groups.values()].map(ruleItem));
  element("verdict").hidden = false;
}

async function judge(values) {
  element("read-values").disabled = true;
  element("progress").textContent = values ? "Reading the values" : "";
  try {
    showVerdict(await reader.ask("judge", { values }), values);
    element("progress").textContent = "";
    element("read-values").hidden = values;
  } catch (error) {
    element("progress").textContent = error.message;
  }
  element("read-values").disabled = false;
}

async function start() {
  const { name, description, readable } = await reader.ask("open", { base });
  element("name").textContent = name;
  document.title = `${name} – vizschema`;
  if (!description) {
    element("summary").textContent = "This page does not read archives in this container yet: use vizschema show.";
    return;
  }
  const { container, nodes } = description;
  const arrays = Object.values(nodes).filter(({ kind }) => kind === "array").length;
  element("summary").textContent = `${container.format}${container.version === null ? "" : ` v${container.version}`} (${container.store}), ${arrays} arrays`;
  element("look").hidden = false;
  const known = new Set(readable);
  const load = (path) => reader.ask("values", { path, dtype: nodes[path].dtype, bytes: nodes[path].bytes });
  const show = (path) => {
    element("array-title").textContent = path;
    showArray(element("shown"), nodes[path], known.has(path) && isNumber(nodes[path].dtype) ? () => load(path) : null);
    element("array").scrollIntoView?.({ block: "nearest" });
  };
  for (const [path, { kind }] of Object.entries(nodes)) if (kind === "array") choose.set(path, () => show(path));
  showTree(element("tree"), element("search"), nodes, show);
  element("read-values").addEventListener("click", () => judge(true));
  await judge(false);
}

start().catch((error) => {
  element("summary").textContent = error.message;
});
