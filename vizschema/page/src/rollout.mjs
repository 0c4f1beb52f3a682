// Attention rollout over the image: offered by what the archive says, computed by the worker, and shown as slices over the image.

import { Slices } from "./array.mjs";
import { made, slider } from "./made.mjs";
import { isNumber } from "./numbers.mjs";
import { TOKENS } from "./rolling.mjs";
import { seriesOf } from "./series.mjs";
import { ofWhole } from "./slices.mjs";

const SIDES = ["height", "width"];
const BEFORE = 8; // tokens before the patches, at most: of a class, and registers

/** The two axes that are queries and keys of the same positions: {query, key}; null where there are none. */
function rolesOf({ axes }) {
  const query = (axes ?? []).findIndex((name) => name?.endsWith(":query"));
  const key = query < 0 ? -1 : axes.indexOf(axes[query].replace(/query$/, "key"));
  return key < 0 ? null : { query, key };
}

/** Rows and columns of square patches that as many tokens stand for, and how many tokens are before them; null where none fit. */
export function patchesOf(tokens, height, width) {
  for (let side = 1; side <= Math.min(height, width); side++) {
    const [rows, columns] = [height / side, width / side];
    const before = tokens - rows * columns;
    if (Number.isInteger(rows) && Number.isInteger(columns) && before >= 0) return before <= BEFORE ? { rows, columns, before } : null;
  }
  return null;
}

/** An array of images, by axes and view: of all other axes, those that the attention has too are of its sizes. */
const isImage = (node, view, shared) => view === "image" && isNumber(node.dtype) && SIDES.every((side) => node.axes?.includes(side)) && shared(node);

/** What a rollout up to the layer at a path is made of: {layers, image, patches, roles}; null where the archive has not all of it. */
export function rolloutOf(path, nodes, views) {
  const node = nodes[path];
  const roles = views[path] === "square" && String(node.attributes.normalization).startsWith("softmax") ? rolesOf(node) : null;
  if (!roles || !isNumber(node.dtype)) return null;
  const members = /_[0-9]{1,9}$/.test(path) ? (seriesOf(path, nodes).at(-1)?.paths ?? []) : [];
  const layers = members.slice(0, members.findIndex(([, each]) => each === path) + 1);
  if (!layers.length || layers.some(([number], at) => number !== at)) return null;
  const shared = (other) => other.axes.every((axis, at) => !node.axes.includes(axis) || node.shape[node.axes.indexOf(axis)] === other.shape[at]);
  const image = Object.keys(views).find((each) => isImage(nodes[each], views[each], shared));
  if (!image) return null;
  const [height, width] = SIDES.map((side) => nodes[image].shape[nodes[image].axes.indexOf(side)]);
  const patches = patchesOf(node.shape[roles.query], height, width);
  return patches && { layers: layers.map(([, each]) => each), image, patches, roles };
}

/** The numbers of rows of patches alone, without the tokens before them. */
function overPatches(numbers, tokens, { before }) {
  const found = new Float64Array(tokens * (tokens - before));
  for (let row = 0; row < tokens; row++) found.set(numbers.subarray(row * tokens + before, (row + 1) * tokens), row * (tokens - before));
  return found;
}

/** Offers in `place` the rollout up to the array at a path; `ask` asks the worker, and `kept` is that of the series. */
export function showRollout(place, path, nodes, views, { ask, kept }) {
  const found = rolloutOf(path, nodes, views);
  place.replaceChildren();
  if (!found) return;
  const details = made("details");
  const bytes = found.layers.reduce((sum, each) => sum + nodes[each].bytes, 0);
  details.append(made("summary", `Attention rollout over the image (reads ${found.layers.length} layers, at most ${bytes.toLocaleString("en")} bytes)`));
  place.append(details);
  const fill = () => {
    kept.rollout = details.open;
    if (details.open && details.children.length === 1) details.append(rolloutBox(path, nodes, found, { ask, kept }));
  };
  details.addEventListener("toggle", fill);
  details.open = Boolean(kept.rollout);
}

function rolloutBox(path, nodes, found, { ask, kept }) {
  const { patches, image } = found;
  const node = nodes[path];
  const tokens = node.shape[found.roles.query];
  const status = made("p", "", { className: "quiet" });
  status.setAttribute("role", "status");
  const controls = made("div", undefined, { className: "controls" });
  const picture = made("div");
  const own = { kept: (kept.patches ??= {}), ofSlice: true };
  kept.place ??= Object.fromEntries(nodes[image].axes.filter((axis) => node.axes.includes(axis)).map((axis) => [axis, 0]));
  const virtual = { kind: "array", dtype: "float64", attributes: {}, axes: [node.axes[found.roles.query], "patch row", "patch column"], shape: [tokens, patches.rows, patches.columns] };
  let asked = 0;
  const draw = async () => {
    const number = ++asked;
    status.textContent = "Reading the layers";
    try {
      if (tokens > TOKENS) throw new Error(`expected at most ${TOKENS} tokens, found ${tokens}`);
      const { numbers, under } = await ask({ ...found, place: kept.place });
      if (number !== asked) return;
      const values = ofWhole(virtual.shape, overPatches(numbers, tokens, patches));
      picture.replaceChildren(new Slices(virtual, values, { ...own, under }, (words) => (status.textContent = words)).box);
      status.textContent = `Of which patches of ${image} the state of a token is made after ${path}. ${beforeWords(patches)}`;
    } catch (error) {
      if (number === asked) status.textContent = error.message;
    }
  };
  nodes[image].axes.forEach((axis, at) => {
    if (!node.axes.includes(axis) || nodes[image].shape[at] < 2) return;
    controls.append(slider(axis, nodes[image].shape[at] - 1, kept.place[axis], (index) => ((kept.place[axis] = index), draw())).label);
  });
  const box = made("div");
  box.append(made("p", "The mean over the heads of each layer and the identity, half of each, multiplied from the first layer to this one (Abnar and Zuidema, 2020).", { className: "quiet" }), controls, status, picture);
  draw();
  return box;
}

const beforeWords = ({ before }) => (before ? `The first ${before === 1 ? "token is" : `${before} tokens are`} not of a patch (a class token is the first one).` : "Each token is of a patch.");
