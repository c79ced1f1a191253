// Filters and sorts the table of all metrics; the benchmarks below show the same selection.
const table = document.getElementById("-table");
const filterBox = document.getElementById("-filter");
const choice = document.getElementById("-show");
const rows = table ? [...table.tBodies[0].rows] : [];
const searched = rows.map((row) => {
  const figure = report.figures[row.dataset.figure];
  return `${row.textContent} ${figure.of} ${figure.name}`.toLowerCase();
});

function filter() {
  const words = filterBox.value.toLowerCase().split(/\s+/).filter(Boolean);
  const seen = new Set();
  let visible = 0;
  rows.forEach((row, i) => {
    const figure = report.figures[row.dataset.figure];
    const chosen = choice.value === "*" || (choice.value === "" ? !("other" in row.dataset) : figure.verdict === choice.value);
    row.hidden = !(chosen && words.every((word) => searched[i].includes(word)));
    if (row.hidden) return;
    visible++;
    seen.add(figure.variant);
  });
  table.classList.add("filtered");
  showSections(seen, words);
  document.getElementById("-shown").textContent = `${visible} of ${count(rows.length, "metric")}`;
}

// A variant without metrics is found by its name.
function showSections(seen, words) {
  const judged = new Set(report.figures.map((figure) => figure.variant));
  const articles = [...document.querySelectorAll("article")];
  articles.forEach((article, i) => {
    const named = words.every((word) => article.firstElementChild.textContent.toLowerCase().includes(word));
    article.hidden = !(seen.has(i) || (!judged.has(i) && choice.value in { "": 1, "*": 1 } && named));
  });
  for (const section of document.querySelectorAll(".benchmark")) {
    section.hidden = !section.querySelector("article:not([hidden])");
  }
}

function sortBy(column, header) {
  const descending = header.getAttribute("aria-sort") === "ascending";
  for (const other of header.parentElement.cells) other.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", descending ? "descending" : "ascending");
  const keys = new Map(rows.map((row) => [row, sortKey(row.cells[column])]));
  const sorted = [...rows].sort((a, b) => compared(keys.get(a), keys.get(b), descending));
  table.tBodies[0].append(...sorted);
}

function sortKey(cell) {
  if ("value" in cell.dataset) return Number(cell.dataset.value);
  return cell.textContent.trim() || null;
}

// Rows without a value come last in both directions.
function compared(a, b, descending) {
  if (a === null || b === null) return (a === null) - (b === null);
  const order = typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), "en", { numeric: true });
  return descending ? -order : order;
}

function startTable() {
  [...table.tHead.rows[0].cells].forEach((header, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = header.textContent;
    button.onclick = () => sortBy(column, header);
    header.replaceChildren(button);
  });
  document.getElementById("-toolbar").hidden = false;
  filterBox.oninput = filter;
  choice.onchange = filter;
  for (const link of document.querySelectorAll("a[data-verdict]")) {
    link.addEventListener("click", () => {
      choice.value = link.dataset.verdict;
      filterBox.value = "";
      filter();
    });
  }
  filter();
}
