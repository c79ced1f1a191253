// Plots are drawn when they come into view, further metrics and tables on request.
const near = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    near.unobserve(target);
    draw(target);
    resized.observe(target);
  }
}, { rootMargin: "600px" });

const widths = new WeakMap();
const resized = new ResizeObserver((entries) => {
  for (const { target } of entries) if (target.clientWidth && widths.get(target) !== target.clientWidth) draw(target);
});

function draw(place) {
  widths.set(place, place.clientWidth);
  if (place.classList.contains("trade")) drawTradeOff(place);
  else drawHistory(place, Number(place.dataset.figure));
}

function element(name, text, parent) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  parent?.append(made);
  return made;
}

// The caption repeats the row of the table of all metrics.
function fillFigure(place) {
  const number = Number(place.dataset.row);
  const row = rows.find((candidate) => Number(candidate.dataset.figure) === number);
  const caption = element("figcaption", undefined, place);
  caption.append(row.querySelector(".badge").cloneNode(true), " ");
  element("strong", report.figures[number].name, caption);
  const [, , , , now, change, interval] = row.cells;
  caption.append(` ${now.textContent.trim()} ${report.figures[number].unit} ${change.textContent.trim()}`);
  if (interval.textContent) element("span", ` (${interval.textContent})`, caption).className = "quiet";
  place.append(plotOf(number));
  if (report.figures[number].nights) place.append(nightsOf(number));
}

function plotOf(number) {
  const plot = element("div");
  plot.className = "plot";
  plot.dataset.figure = number;
  near.observe(plot);
  return plot;
}

// The data of the plot as a table, created when it is opened.
function nightsOf(number) {
  const details = element("details");
  details.className = "nights";
  const figure = report.figures[number], drawn = figure.nights.length;
  const nights = figure.all > drawn ? `Last ${drawn} of ${figure.all} nights` : count(drawn, "night");
  const left = figure.otherUnit ? `; ${count(figure.otherUnit, "night")} in another unit not drawn` : "";
  element("span", ` of ${figure.name}`, element("summary", `${nights} as a table${left}`, details)).className = "visually-hidden";
  details.addEventListener("toggle", () => {
    if (details.open && details.childElementCount === 1) details.append(nightsTable(number));
  });
  return details;
}

function nightsTable(number) {
  const figure = report.figures[number], data = history(number);
  const scroll = element("div");
  scroll.className = "scroll";
  scroll.tabIndex = 0;
  scroll.setAttribute("role", "region");
  scroll.setAttribute("aria-label", `Nights of ${figure.name} of ${figure.of}`);
  const made = element("table", undefined, scroll);
  const head = element("tr", undefined, element("thead", undefined, made));
  for (const title of ["Night", `Median${figure.unit ? ` (${figure.unit})` : ""}`, "Interval", "Commit", "Changes"]) element("th", title, head).scope = "col";
  const body = element("tbody", undefined, made);
  for (let i = data.nights.length - 1; i >= 0; i--) {
    const night = data.nights[i], line = element("tr", undefined, body);
    element("th", report.nights.moments[night], line).scope = "row";
    for (const text of [shown(data.median[i]), `${shown(data.low[i])} to ${shown(data.high[i])}`, report.nights.commits[night], notesOf(figure, night).join("; ")]) element("td", text, line);
  }
  return scroll;
}

// A link leads to its benchmark even if the filter hides it.
function follow() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  if (target.closest("[hidden]")) {
    filterBox.value = "";
    choice.value = "";
    filter();
  }
  target.scrollIntoView();
  target.focus({ preventScroll: true });
}

function startSections() {
  for (const figure of document.querySelectorAll("article > .figures > figure")) {
    const number = Number(figure.querySelector(".plot").dataset.figure);
    if (report.figures[number].nights) figure.append(nightsOf(number));
  }
  for (const more of document.querySelectorAll("details.more")) {
    more.addEventListener("toggle", () => {
      if (more.open) more.querySelectorAll("figure:empty").forEach(fillFigure);
    });
  }
  document.querySelectorAll(".plot").forEach((place) => near.observe(place));
  addEventListener("hashchange", follow);
  follow();
}
