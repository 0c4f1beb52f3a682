// Elements, made of text only; what is of an archive is never markup.

export function made(tag, text, more = {}) {
  const found = document.createElement(tag);
  if (text !== undefined) found.textContent = text;
  return Object.assign(found, more);
}

export function labelled(text, control) {
  const label = made("label", `${text} `);
  label.append(control);
  return label;
}

/** A slider with its number beside it, or what `words` makes of it; `change` is called with the number. */
export function slider(text, most, value, change, words = Number) {
  const output = made("output", words(value));
  const input = made("input", undefined, { type: "range", min: 0, max: most, value });
  input.addEventListener("input", () => {
    output.textContent = words(input.value);
    change(+input.value);
  });
  const label = labelled(text, input);
  label.append(output);
  return { label, set: (number) => ((input.value = number), (output.textContent = number)) };
}

export const shown = (number) => (Number.isFinite(number) ? String(+number.toPrecision(6)) : String(number));
export const axisName = (node, axis) => node.axes?.[axis] ?? `axis ${axis}`;
