// How often which values are in a slice, with the bounds that rules set drawn in.

import { made, shown } from "./made.mjs";
import { rangeOf } from "./slices.mjs";

const BINS = 48;
const [WIDTH, HEIGHT] = [480, 90];
const SVG = "http://www.w3.org/2000/svg";

function drawn(tag, attributes) {
  const found = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) found.setAttribute(name, value);
  return found;
}

/** The ends of the axis: those of the values, and bounds that are not far from them. */
function endsOf(numbers, bounds) {
  let [low, high] = rangeOf(numbers);
  const span = high - low || Math.abs(high) || 1;
  for (const { limit } of bounds) if (limit > low - 2 * span && limit < high + 2 * span) [low, high] = [Math.min(low, limit), Math.max(high, limit)];
  return low < high ? [low, high] : [low - 0.5, high + 0.5];
}

const words = ({ limit, least, rule }) => `${least ? "at least" : "at most"} ${shown(limit)} (${rule})`;

export function showHistogram(place, numbers, bounds) {
  const [low, high] = endsOf(numbers, bounds);
  if (!Number.isFinite(low)) return void place.replaceChildren(made("p", "No finite value in this slice.", { className: "quiet" }));
  const counts = new Array(BINS).fill(0);
  let others = 0;
  for (const number of numbers) {
    if (Number.isFinite(number)) counts[Math.min(BINS - 1, Math.floor(((number - low) / (high - low)) * BINS))] += 1;
    else others += 1;
  }
  const most = Math.max(...counts);
  const picture = drawn("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `histogram from ${shown(low)} to ${shown(high)}, at most ${most} values in one bar` });
  const across = (value) => ((value - low) / (high - low)) * WIDTH;
  counts.forEach((count, at) => {
    const height = count ? Math.max(1, (count / most) * (HEIGHT - 4)) : 0;
    picture.append(drawn("rect", { x: (at * WIDTH) / BINS, y: HEIGHT - height, width: WIDTH / BINS - 1, height, class: "bar" }));
  });
  for (const { limit } of bounds) if (limit >= low && limit <= high) picture.append(drawn("line", { x1: across(limit), x2: across(limit), y1: 0, y2: HEIGHT, class: "bound" }));
  const scale = made("div", undefined, { className: "scale spread" });
  scale.append(made("span", shown(low)), made("span", shown(high)));
  const told = [others ? `${others} values are not finite.` : "", bounds.length ? `Rules: ${bounds.map(words).join(", ")}.` : ""].filter(Boolean);
  place.replaceChildren(picture, scale, ...(told.length ? [made("p", told.join(" "), { className: "quiet" })] : []));
}
