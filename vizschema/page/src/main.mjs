// The page: asks the worker, shows the verdict, the tree and slices of arrays. Text is only ever set as text.

import rules from "rules:all";
import { isNumber } from "./numbers.mjs";
import { showArray, showGroup } from "./array.mjs";
import { droppedFiles, picked } from "./picking.mjs";
import { Reader } from "./reader.mjs";
import { showRollout } from "./rollout.mjs";
import { showSeries } from "./series.mjs";
import { showTree } from "./tree.mjs";

const PLACES = 100;
const LARGE = 64 << 20;
const choose = new Map();
const element = (id) => document.getElementById(id);
const served = document.documentElement.dataset.served !== undefined;

const reader = new Reader((alive) => {
  if (element("read-values").disabled) element("progress").textContent = `Reading: ${alive.bytes.toLocaleString("en")} bytes in ${alive.requests} parts`;
});

function made(tag, ...parts) {
  const found = document.createElement(tag);
  found.append(...parts);
  return found;
}

/** A broken rule: its clause, how to fix it, and the first places, of which arrays can be chosen. */
function ruleItem(version, group) {
  const { rule, severity } = group[0];
  const { title = "", fix = "" } = rules[version]?.[rule] ?? group[0];
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

function showVerdict({ version, profile, findings }, values) {
  const errors = findings.filter(({ severity }) => severity === "error").length;
  const words = errors ? "does not conform" : values ? "conforms" : "structure conforms";
  const verdict = element("verdict-words");
  verdict.textContent = `${words}, by the profile ${profile} of ${version}${values ? "" : "; values not read"}`;
  verdict.className = errors ? "bad" : "good";
  const groups = new Map();
  for (const finding of findings) groups.set(finding.rule, [...(groups.get(finding.rule) ?? []), finding]);
  element("findings").replaceChildren(...[...groups.values()].map((group) => ruleItem(version, group)));
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

/** Opens an archive and shows it in place of the one before. */
async function open(source) {
  for (const id of ["look", "verdict"]) element(id).hidden = true;
  choose.clear();
  for (const id of ["shown", "series", "rollout"]) element(id).replaceChildren();
  element("array-title").textContent = "Choose an array";
  element("summary").textContent = "Opening the archive";
  const { name, description, readable, views, counted: first } = await reader.open(source);
  element("name").textContent = name;
  document.title = `${name} – vizschema`;
  if (!description) {
    element("summary").textContent = "This is not an archive that can be opened: a Zarr group, a zip file of one, HDF5, NPZ, ASDF or safetensors.";
    return;
  }
  const { container, nodes } = description;
  const arrays = Object.values(nodes).filter(({ kind }) => kind === "array").length;
  element("summary").textContent = `${container.format}${container.version === null ? "" : ` v${container.version}`} (${container.store}), ${arrays} arrays`;
  element("look").hidden = false;
  element("source").open = false;
  element("read-values").hidden = false;
  if (source.url) element("summary").textContent += `; ${first.requests} request${first.requests === 1 ? "" : "s"}, ${first.bytes.toLocaleString("en")} bytes`;
  const known = new Map(readable);
  const load = (path) => accessOf(nodes[path], path, known.get(path), source.url ? container : null);
  let kept = {};
  const showOne = (path) => {
    element("array-title").textContent = path;
    const bounds = () => reader.ask("bounds", { path }).then((found) => found.bounds);
    const labels = () => reader.ask("labels", { path }).then((found) => found.labels);
    showArray(element("shown"), nodes[path], known.has(path) && isNumber(nodes[path].dtype) ? () => load(path) : null, { view: views[path], bounds, labels, kept });
    showRollout(element("rollout"), path, nodes, views, { kept, ask: (more) => reader.ask("rollout", more) });
  };
  const show = (path) => {
    kept = {};
    element("array").scrollIntoView?.({ block: "nearest" });
    if (nodes[path].kind !== "array") {
      element("array-title").textContent = path;
      for (const id of ["series", "rollout"]) element(id).replaceChildren();
      showGroup(element("shown"), nodes[path]);
      return;
    }
    showSeries(element("series"), path, nodes, showOne);
    showOne(path);
  };
  for (const [path, { kind }] of Object.entries(nodes)) if (kind === "array") choose.set(path, () => show(path));
  showTree(element("tree"), element("search"), nodes, show);
  await judge(false);
}

const boxOf = (path) => ({ box: (start, size) => reader.ask("box", { path, start, size }) });

/** How the values of an array are read, of a container by URL where it is given: all at once, or, where that is much, slice by slice. */
function accessOf(node, path, chunked, byUrl) {
  if (chunked && byUrl) return { ...boxOf(path), noun: "request", reads: { chunk: byUrl.store === "zip" ? 2 : 1, shard: 2 } }; // a header, a size
  if (chunked && node.bytes > LARGE) return boxOf(path);
  return reader.ask("values", { path });
}

/** A URL to share: none where it has a user, a password or a query, which may be a credential. */
function linkOf(text) {
  const url = new URL(text);
  return url.username || url.password || url.search ? null : `?${new URLSearchParams({ url: url.href })}`;
}

const told = (error) => (element("summary").textContent = error.message);
const opened = async (source) => {
  history.replaceState(null, "", location.pathname);
  await open(await source);
};

async function openUrl(text) {
  element("url").value = "";
  history.replaceState(null, "", location.pathname);
  const link = linkOf(text);
  await open({ url: text });
  if (link) history.replaceState(null, "", link);
  else element("summary").textContent += "; the address has a query, so that no link is kept";
}

/** Lets files be chosen and dropped, and URLs be given. */
function offer() {
  element("source").hidden = false;
  element("summary").textContent = "Nothing is open.";
  for (const id of ["pick-file", "pick-folder"])
    element(id).addEventListener("change", ({ target }) => opened(attempt(() => ({ files: picked(target) }))).catch(told));
  element("by-url").addEventListener("submit", (event) => {
    event.preventDefault();
    openUrl(element("url").value).catch(told);
  });
  const given = new URLSearchParams(location.search).get("url");
  if (given) openUrl(given).catch(told);
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => {
    event.preventDefault();
    opened(droppedFiles(event.dataTransfer).then((files) => ({ files }))).catch(told);
  });
}

const attempt = async (make) => make();

element("read-values").addEventListener("click", () => judge(true));
if (served) open({ base: new URL(".", location.href).href }).catch(told);
else offer();
