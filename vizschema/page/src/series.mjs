// A slider over the members of a numbered series that are alike: layers, recycles.

import { slider } from "./made.mjs";
import { wordsOf } from "./tree.mjs";

const NUMBER = /_[0-9]{1,9}(?=[/]|$)/g;

/** For each step of a path with a number: its name, and the paths that differ in that number alone, sorted; [] where there are no others. */
export function seriesOf(path, nodes) {
  return [...path.matchAll(NUMBER)].map(({ 0: number, index }) => {
    const [before, after] = [path.slice(0, index), path.slice(index + number.length)];
    const name = before.slice(before.lastIndexOf("/") + 1);
    const paths = Object.keys(nodes).filter((other) => isAlike(other, before, after) && nodes[other].kind === "array" && wordsOf(nodes[other]) === wordsOf(nodes[path]));
    const numbered = paths.map((other) => [Number(other.slice(before.length + 1, other.length - after.length)), other]);
    return { name, paths: numbered.sort(([one], [other]) => one - other) };
  }).filter(({ paths }) => paths.length > 1);
}

const isAlike = (path, before, after) => path.startsWith(`${before}_`) && path.endsWith(after) && /^[0-9]{1,9}$/.test(path.slice(before.length + 1, path.length - after.length));

/** Fills `place` with a slider for each series of a path; `show` is called with the path that is chosen. */
export function showSeries(place, path, nodes, show) {
  let current = path;
  const labels = seriesOf(path, nodes).map((_, at) => {
    const { name, paths } = seriesOf(current, nodes)[at];
    const one = slider(name, paths.length - 1, paths.findIndex(([, each]) => each === current), (index) => {
      const found = seriesOf(current, nodes)[at];
      current = found.paths[index][1];
      one.label.lastChild.textContent = found.paths[index][0];
      show(current);
    });
    one.label.lastChild.textContent = paths.find(([, each]) => each === current)[0];
    return one.label;
  });
  place.replaceChildren(...labels);
}
