// Small maps along one axis, of which each leads to its slice.

import { made } from "./made.mjs";
import { paint } from "./paint.mjs";

const PIXELS = 288; // along a side of a small map, at most: four times as many as are shown

/** Fills `place` with a button for each index along an axis; `slices` are its slices, of which one may be a promise, `choose` is called with an index. */
export function showMultiples(place, { name, current, slices, range, choose }) {
  const items = slices.map((slice, index) => {
    const button = made("button", undefined, { type: "button" });
    button.setAttribute("aria-label", `${name} ${index}`);
    button.setAttribute("aria-pressed", String(index === current));
    const canvas = made("canvas");
    if (slice instanceof Promise) slice.then((found) => paint(canvas, found, range(found), PIXELS), () => button.append(" damaged"));
    else paint(canvas, slice, range(slice), PIXELS);
    button.append(canvas, made("span", index));
    button.addEventListener("click", () => choose(index).then(() => place.children[index + 1]?.focus()));
    return button;
  });
  place.replaceChildren(made("p", name, { className: "quiet" }), ...items);
}

/** Fills `place` with a button that says what reading the small maps takes; `read` is called when it is pressed. */
export function offerMultiples(place, { name, words, read }) {
  const button = made("button", `Show each ${name} small: ${words}`, { type: "button", className: "offer" });
  button.addEventListener("click", read);
  place.replaceChildren(button);
}
