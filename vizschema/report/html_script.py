"""The scripts of the page: search among findings, and a table of archives that is filtered and sorted.

Without them the page is the same, whole and unsorted.
"""

FINDINGS = """
{
  const groups = [...document.querySelectorAll(".rule")].map((group) => ({
    group, details: group.querySelector("details"), opened: group.querySelector("details").open,
    name: group.querySelector("h3").textContent.toLowerCase(),
    items: [...group.querySelectorAll("li")].map((item) => ({ item, text: item.textContent.toLowerCase() })),
  }));
  const total = groups.reduce((sum, each) => sum + each.items.length, 0);
  const sought = document.getElementById("sought"), weight = document.getElementById("weight");
  const matching = document.getElementById("matching");
  const search = () => {
    const parts = sought.value.toLowerCase().split(/\\s+/).filter(Boolean);
    let shown = 0;
    for (const { group, details, opened, name, items } of groups) {
      const wanted = !weight.value || group.dataset.kind === weight.value;
      const left = parts.filter((part) => !name.includes(part));
      let count = 0;
      for (const each of items) {
        const fits = wanted && left.every((part) => each.text.includes(part));
        if (each.item.hidden === fits) each.item.hidden = !fits;
        count += fits;
      }
      if (group.hidden !== !count) group.hidden = !count;
      const open = parts.length ? count > 0 && count <= 200 : opened;
      if (details.open !== open) details.open = open;
      shown += count;
    }
    matching.textContent = `${shown} of ${total} findings`;
  };
  sought.addEventListener("input", search);
  weight.addEventListener("change", search);
  document.getElementById("search").hidden = false;
  search();
}
"""

SCRIPT = """
const table = document.getElementById("archives"), body = table.tBodies[0], rows = [...body.rows];
const words = document.getElementById("words"), verdict = document.getElementById("verdict");
const shown = document.getElementById("shown");
const texts = rows.map((row) => row.textContent.toLowerCase() + " " + row.dataset.rules);
function filter() {
  const parts = words.value.toLowerCase().split(/\\s+/);
  let count = 0;
  rows.forEach((row, at) => {
    const kind = !verdict.value || row.dataset.kind === verdict.value;
    const fits = kind && parts.every((part) => texts[at].includes(part));
    row.hidden = !fits;
    count += fits;
  });
  shown.textContent = `${count} of ${rows.length} shown`;
}
function sort(column, head) {
  const down = head.getAttribute("aria-sort") === "ascending";
  for (const each of table.tHead.rows[0].cells) each.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  const key = (row) => row.cells[column].textContent;
  const order = new Intl.Collator(undefined, { numeric: true }).compare;
  const sorted = [...rows].sort((a, b) => (down ? -1 : 1) * order(key(a), key(b)));
  body.append(...sorted);
}
[...table.tHead.rows[0].cells].forEach((head, column) => {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = head.textContent;
  button.addEventListener("click", () => sort(column, head));
  head.replaceChildren(button);
});
words.addEventListener("input", filter);
verdict.addEventListener("change", filter);
document.getElementById("filters").hidden = false;
filter();
"""
