"""The script of the page: filters and sorts the table of archives. Without it the page is the same, unsorted."""

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
