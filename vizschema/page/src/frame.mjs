// What is beside a map: the names of its axes, labels of positions, the row and the column that are pointed at, and the sequence or
// the tokens below it, each with the colour of its value in that row or column.

import { made } from "./made.mjs";
import { colourOf } from "./paint.mjs";
import { rangeOf } from "./slices.mjs";

const APART = 13;
const LABELLED = 5;
const STRIP = 2000;
const HIDDEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}\p{Cn}]/gu;
const SIGNS = { "\n": "↵", "\t": "⇥", "\r": "␍" };

/** A text of an archive with spaces, ends of lines and what turns or hides text as signs. */
export const visible = (text) => text.replace(HIDDEN, (each) => SIGNS[each] ?? `\\u{${each.codePointAt(0).toString(16)}}`).replace(/^ | $/g, "␣") || "∅";

/** A name with its role first: the queries of tokens are "query (token)". */
export const sideName = (name) => (name.includes(":") ? `${name.split(":").slice(1).join(":")} (${name.split(":")[0]})` : name);

/** The text of each position along an axis where it has some; `at` are the indices along all axes. */
export function textsOf(labels, axis, at, names, shape) {
  const found = labels?.[axis];
  if (!found) return null;
  const along = found.along === null ? -1 : names.findIndex((name) => name?.split(":")[0] === found.along);
  const first = along < 0 ? 0 : at[along] * shape[axis];
  return found.texts.slice(first, first + shape[axis]);
}

export class Frame {
  /** Around a canvas; `choose` is called with {row} or {column} where a token is pressed. */
  constructor(canvas, choose) {
    this.canvas = canvas;
    this.choose = choose;
    this.names = { across: made("span", "", { className: "side across" }), down: made("span", "", { className: "side down" }) };
    this.ticks = { across: made("div", undefined, { className: "ticks across" }), down: made("div", undefined, { className: "ticks down" }) };
    for (const each of Object.values(this.ticks)) each.setAttribute("aria-hidden", "true");
    this.marks = { across: made("div", undefined, { className: "mark" }), down: made("div", undefined, { className: "mark" }) };
    const held = made("div", undefined, { className: "held" });
    held.append(canvas, this.marks.down, this.marks.across);
    this.box = made("div", undefined, { className: "map" });
    this.box.append(this.names.across, this.ticks.across, this.names.down, this.ticks.down, held);
    this.strips = made("div", undefined, { className: "strips" });
    new ResizeObserver(() => this.shown && this.label()).observe(canvas);
  }

  /** Shows names and labels: {rows, columns, first, names, texts}, of which the last three are {down, across}; null takes them away. */
  show(shown) {
    const part = (side, count) => shown.texts[side]?.slice(shown.first[side], shown.first[side] + count);
    this.shown = shown && { ...shown, texts: { down: part("down", shown.rows), across: part("across", shown.columns) } };
    this.box.classList.toggle("framed", Boolean(shown));
    for (const part of [...Object.values(this.names), ...Object.values(this.ticks), ...Object.values(this.marks), this.strips]) part.hidden = !shown;
    if (!shown) return;
    for (const side of ["down", "across"]) this.names[side].textContent = sideName(shown.names[side]);
    this.label();
    this.strip();
  }

  label() {
    const { rows, columns, texts, first } = this.shown;
    const { width, height } = this.canvas.getBoundingClientRect();
    for (const [side, count, length] of [["down", rows, height], ["across", columns, width]]) {
      const step = length ? stepOf((APART * count) / length) : count;
      const items = [];
      for (let at = 0; at < count; at += step) {
        const text = texts[side] && step <= LABELLED ? visible(texts[side][at]) : "";
        const item = made("span", step > 1 || !text ? `${first[side] + at} ${text}`.trim() : text);
        item.style[side === "down" ? "top" : "left"] = `${((at + 0.5) / count) * 100}%`;
        items.push(item);
      }
      this.ticks[side].replaceChildren(...items);
      this.ticks[side].classList.toggle("long", Boolean(texts[side]) && step <= LABELLED);
    }
  }

  strip() {
    const { names, texts } = this.shown;
    this.tokens = {};
    const parts = ["down", "across"].filter((side) => texts[side] && texts[side].length <= STRIP).map((side) => {
      this.tokens[side] = texts[side].map((text, at) => {
        const token = made("span", visible(text), { className: "token" });
        token.addEventListener("click", () => this.choose(side === "down" ? { row: at } : { column: at }));
        return token;
      });
      const line = made("p", undefined, { className: "line", tabIndex: 0, ariaLabel: sideName(names[side]), role: "group" });
      const along = side === "down" ? "column" : "row";
      line.append(...this.tokens[side]);
      return [made("p", `${sideName(names[side])}, coloured by this ${along}`, { className: "quiet" }), line];
    });
    this.strips.replaceChildren(...parts.flat());
  }

  /** Marks a row and a column, and colours tokens by their values in them, from the lowest to the highest there. */
  mark({ row, column }, { rows, columns, numbers }) {
    if (!this.shown) return;
    Object.assign(this.marks.down.style, { top: `${(row / rows) * 100}%`, height: `${100 / rows}%`, left: 0, width: "100%" });
    Object.assign(this.marks.across.style, { left: `${(column / columns) * 100}%`, width: `${100 / columns}%`, top: 0, height: "100%" });
    for (const [side, chosen] of [["down", row], ["across", column]]) {
      const tokens = this.tokens[side] ?? [];
      const values = tokens.map((_, at) => (side === "down" ? numbers[at * columns + column] : numbers[row * columns + at]));
      const [low, high] = rangeOf(values);
      tokens.forEach((token, at) => {
        token.classList.toggle("chosen", at === chosen);
        token.style.borderBottomColor = `rgb(${colourOf(high > low ? (values[at] - low) / (high - low) : 0.5).join(" ")})`;
      });
      const line = tokens[chosen]?.parentElement;
      if (line) line.scrollTop = tokens[chosen].offsetTop - line.offsetTop - line.clientHeight / 2;
    }
  }
}

/** The least of 1, 2, 5, 10, 20, … that is not below a number. */
function stepOf(least) {
  let step = 1;
  for (let at = 0; step < least; at += 1) step = [1, 2, 5][at % 3] * 10 ** Math.floor(at / 3);
  return step;
}
