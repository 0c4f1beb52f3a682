// The tree of the nodes as nested lists; alike members of a numbered series are behind one line. A search shows paths.

const SHOWN = 300;

export function wordsOf(node) {
  if (node.kind !== "array") return node.kind === "group" ? "" : `${node.kind}: ${node.reason}`;
  const sizes = node.axes ? node.shape.map((size, axis) => `${node.axes[axis] ?? "?"} ${size}`).join(", ") : node.shape.join(" × ");
  return `${node.dtype} (${sizes || "scalar"})`;
}

function made(tag, text, kind) {
  const found = document.createElement(tag);
  if (text) found.textContent = text;
  if (kind) found.className = kind;
  return found;
}

export function showTree(list, search, nodes, choose) {
  const children = new Map();
  for (const path of Object.keys(nodes)) {
    if (path === "/") continue;
    const parent = path.slice(0, path.lastIndexOf("/")) || "/";
    if (!children.has(parent)) children.set(parent, []);
    children.get(parent).push(path);
  }
  let current = null;
  const attributes = (path) => Object.keys(nodes[path].attributes ?? {}).length;
  const leaf = (path, name) => {
    const item = made("li");
    if (nodes[path].kind === "array" || attributes(path)) {
      const button = made("button", name);
      button.type = "button";
      button.addEventListener("click", () => {
        current?.removeAttribute("aria-current");
        current = button;
        button.setAttribute("aria-current", "true");
        choose(path);
      });
      item.append(button, " ");
    } else item.append(made("span", `${name} `, "name"));
    item.append(made("span", wordsOf(nodes[path]), "words"));
    return item;
  };
  const numberOf = (path) => Number(/[0-9]*$/.exec(path)[0]);
  const lastStep = (path) => path.slice(path.lastIndexOf("/") + 1);
  const group = (label, fill, open) => {
    const item = made("li");
    const details = made("details");
    const inner = made("ul");
    details.append(made("summary", label), inner);
    let filled = false;
    const fillOnce = () => {
      if (!filled) inner.append(...fill());
      filled = true;
    };
    details.open = open;
    if (open) fillOnce();
    details.addEventListener("toggle", fillOnce);
    item.append(details);
    return item;
  };
  const node = (path, depth) =>
    children.has(path) ? group(`${lastStep(path)}/`, () => below(path, depth + 1), depth < 1) : leaf(path, lastStep(path));
  const below = (path, depth) => {
    const runs = new Map();
    for (const child of children.get(path) ?? []) {
      const match = /^(.+)_[0-9]{1,9}$/s.exec(lastStep(child));
      const key = match ? `${match[1]} ${wordsOf(nodes[child])} ${children.has(child)}` : child;
      if (!runs.has(key)) runs.set(key, []);
      runs.get(key).push(child);
    }
    const own = attributes(path) ? [leaf(path, attributes(path) === 1 ? "1 attribute" : `${attributes(path)} attributes`)] : [];
    return own.concat([...runs.values()].flatMap((found) => {
      const run = found.toSorted((one, other) => numberOf(one) - numberOf(other));
      if (run.length < 4) return run.map((child) => node(child, depth));
      const label = `${lastStep(run[0])} … ${lastStep(run.at(-1))} (${run.length}) ${wordsOf(nodes[run[0]])}`;
      return [group(label, () => run.map((child) => node(child, depth + 1)), false)];
    }));
  };
  const show = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    if (!words.length) {
      list.replaceChildren(...below("/", 0));
      return;
    }
    const found = Object.keys(nodes).filter((path) => words.every((word) => path.toLowerCase().includes(word)));
    const items = found.slice(0, SHOWN).map((path) => leaf(path, path));
    if (found.length > SHOWN) items.push(made("li", `${found.length - SHOWN} more`, "quiet"));
    list.replaceChildren(...items);
  };
  search.value = "";
  search.oninput = show; // in place of that of the archive before
  show();
}
