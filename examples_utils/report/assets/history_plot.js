// A metric's nights, followed by the last run's repetitions.
const SVG = "http://www.w3.org/2000/svg";

function svgElement(name, attributes, parent, text) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  parent?.append(element);
  return element;
}

// Round values between two ends, about as many as requested.
function ticks(low, high, wanted) {
  const rough = (high - low) / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough);
  const found = [];
  for (let k = Math.ceil(low / step); k * step <= high; k++) found.push(Number((k * step).toPrecision(12)));
  return found;
}

// The range of a plot; the noise of a steady metric is not magnified to fill it.
function extent(values) {
  let low = Math.min(...values), high = Math.max(...values);
  const least = Math.abs(high + low) / 2 * 0.06 || 1;
  if (high - low < least) [low, high] = [(low + high - least) / 2, (low + high + least) / 2];
  const margin = (high - low) * 0.06;
  return [low - margin, high + margin];
}

function drawHistory(place, number) {
  const figure = report.figures[number];
  const data = history(number);
  const spark = place.classList.contains("spark");
  place.replaceChildren();
  if (!data) {
    place.classList.add("empty");
    place.textContent = "No history: no run has a value of this metric.";
    return;
  }
  const width = Math.max(place.clientWidth, 160), height = place.clientHeight;
  const right = spark || !figure.last.length ? 8 : 76;
  const box = { left: spark ? 4 : 52, right: width - right, top: 8, bottom: height - (spark ? 6 : 20) };
  const [low, high] = extent([...data.low, ...data.high, ...figure.last]);
  const first = data.nights[0], last = report.nights.moments.length - 1;
  const x = (night) => last === first ? (box.left + box.right) / 2
    : box.left + 4 + (night - first) / (last - first) * (box.right - box.left - 8);
  const y = (value) => box.bottom - (value - low) / (high - low) * (box.bottom - box.top);
  const svg = svgElement("svg", { viewBox: `0 0 ${width} ${height}`, width, height, "aria-hidden": "true" }, place);
  drawBase(svg, figure, x, y, box, first);
  if (!spark) drawAxes(svg, x, y, box, low, high, first, last);
  drawNights(svg, figure, data, x, y, spark ? 0 : 120);
  drawSteps(svg, figure, x, box, first, spark);
  if (!spark) {
    drawMarks(svg, figure, x, box, first);
    if (figure.last.length) drawRepetitions(svg, figure, y, box, width);
    operate(place, svg, number, x, y, box);
  }
}

function drawBase(svg, figure, x, y, box, first) {
  const base = report.nights.base.filter((night) => night >= first);
  if (!base.length) return;
  const left = x(base[0]) - 3, right = x(base[base.length - 1]) + 3;
  svgElement("rect", { class: "base", x: left, y: box.top, width: right - left, height: box.bottom - box.top }, svg);
  if (figure.base === null) return;
  svgElement("path", { class: "base-level", d: `M${left} ${y(figure.base)}H${box.right}` }, svg);
}

function drawAxes(svg, x, y, box, low, high, first, last) {
  for (const value of ticks(low, high, 3)) {
    svgElement("path", { class: "grid", d: `M${box.left} ${y(value)}H${box.right}` }, svg);
    svgElement("text", { class: "tick end", x: box.left - 6, y: y(value) + 4 }, svg, shown(value));
  }
  const day = (night) => report.nights.moments[night].slice(0, 10);
  const label = (night) => (day(first) === day(last) ? report.nights.moments[night].slice(11) : day(night));
  const labels = Math.max(1, Math.min(last - first, Math.floor((box.right - box.left) / 110)));
  for (let k = 0; k <= labels; k++) {
    const night = Math.round(first + (last - first) * k / labels);
    const anchor = first === last ? "middle" : k === 0 ? "start" : k === labels ? "end" : "middle";
    svgElement("text", { class: `tick ${anchor}`, x: x(night), y: box.bottom + 15 }, svg, label(night));
    if (first === last) break;
  }
}

// Nights without a value leave a gap in line and band.
function drawNights(svg, figure, data, x, y, mostDots) {
  let line = "", band = "";
  for (let begin = 0; begin < data.nights.length; ) {
    let end = begin;
    while (end + 1 < data.nights.length && data.nights[end + 1] === data.nights[end] + 1) end++;
    const at = (i, values) => `${x(data.nights[i]).toFixed(1)} ${y(values[i]).toFixed(1)}`;
    const run = Array.from({ length: end - begin + 1 }, (_, i) => begin + i);
    line += `M${run.map((i) => at(i, data.median)).join("L")}`;
    if (run.length > 1) band += `M${[...run.map((i) => at(i, data.high)), ...run.reverse().map((i) => at(i, data.low))].join("L")}Z`;
    else band += `M${at(begin, data.low)}L${at(begin, data.high)}`;
    begin = end + 1;
  }
  svgElement("path", { class: "band", d: band }, svg);
  svgElement("path", { class: "line", d: line }, svg);
  const dots = data.nights.length <= mostDots ? data.nights.keys() : [data.nights.length - 1];
  for (const i of dots) {
    const newest = i === data.nights.length - 1;
    svgElement("circle", { class: newest ? `dot newest ${figure.verdict}` : "dot", cx: x(data.nights[i]), cy: y(data.median[i]), r: newest ? 3.5 : 1.8 }, svg);
  }
}

function drawSteps(svg, figure, x, box, first, spark) {
  for (const [at, before, after, ratio] of figure.steps) {
    if (at <= first) continue;
    const middle = x(at - 0.5);
    svgElement("path", { class: "step", d: `M${middle} ${box.top}V${box.bottom}` }, svg);
    if (spark) continue;
    svgElement("path", { class: "step-range", d: `M${x(Math.max(before, first))} ${box.top}H${x(after)}` }, svg);
    const beyond = middle > box.right - 60;
    svgElement("text", { class: `tick ${beyond ? "end" : "start"}`, x: middle + (beyond ? -4 : 4), y: box.top + 12 }, svg, percent(ratio));
  }
}

function drawMarks(svg, figure, x, box, first) {
  const variant = report.variants[figure.variant];
  for (const night of variant.failed.filter((night) => night >= first)) {
    const at = x(night), y = box.bottom - 5;
    svgElement("path", { class: "failure", d: `M${at - 3} ${y - 3}L${at + 3} ${y + 3}M${at - 3} ${y + 3}L${at + 3} ${y - 3}` }, svg);
  }
  for (const night of Object.keys({ ...variant.notes, ...report.nights.notes }).map(Number)) {
    if (night < first) continue;
    svgElement("path", { class: "event", d: `M${x(night)} ${box.bottom - 6}l4 6h-8Z` }, svg);
  }
}

// Spread sideways so that equal repetitions do not hide each other.
function drawRepetitions(svg, figure, y, box, width) {
  const left = box.right + 14, right = width - 8, middle = (left + right) / 2;
  svgElement("path", { class: "grid", d: `M${left - 5} ${box.top}V${box.bottom}` }, svg);
  figure.last.forEach((value, i) => {
    const aside = figure.last.length === 1 ? 0 : ((i / (figure.last.length - 1)) - 0.5) * (right - left - 8);
    svgElement("circle", { class: "repetition", cx: middle + aside, cy: y(value), r: figure.last.length > 30 ? 1.8 : 2.8 }, svg);
  });
  const sorted = [...figure.last].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  const median = sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
  svgElement("path", { class: "median", d: `M${left} ${y(median)}H${right}` }, svg);
  svgElement("text", { class: "tick middle", x: middle, y: box.bottom + 15 }, svg, `n = ${figure.last.length}`);
}

function sentence(number) {
  const figure = report.figures[number], data = history(number);
  const span = (i) => `${shown(data.median[i])} ${figure.unit} (${shown(data.low[i])} to ${shown(data.high[i])})`;
  const end = data.nights.length - 1, moments = report.nights.moments;
  const parts = [
    `${figure.name} of ${figure.of}, ${figure.verdict}: ${count(data.nights.length, "night")} from ` +
    `${moments[data.nights[0]].slice(0, 10)} to ${moments[data.nights[end]].slice(0, 10)}, medians between ` +
    `${shown(Math.min(...data.median))} and ${shown(Math.max(...data.median))} ${figure.unit}, the last ${span(end)}`,
  ];
  for (const [at, , , ratio] of figure.steps) parts.push(`change point ${moments[at].slice(0, 10)}: ${percent(ratio)}`);
  if (figure.last.length) parts.push(`${count(figure.last.length, "repetition")} in this run from ${shown(Math.min(...figure.last))} to ${shown(Math.max(...figure.last))}`);
  return `${parts.join(". ")}.`;
}

// Pointer and arrow keys select a night, whose values appear below the plot.
function operate(place, svg, number, x, y, box) {
  const figure = report.figures[number], data = history(number), end = data.nights.length - 1;
  const cursor = svgElement("path", { class: "cursor", visibility: "hidden" }, svg);
  const readout = document.createElement("p");
  readout.className = "readout";
  const description = (i) => {
    const night = data.nights[i];
    const commit = report.nights.commits[night], branch = report.nights.branches[night];
    return [
      `${report.nights.moments[night]}: ${shown(data.median[i])} ${figure.unit} (${shown(data.low[i])} to ${shown(data.high[i])})`,
      commit ? `commit ${commit}${branch ? ` on ${branch}` : ""}` : "",
      ...notesOf(figure, night),
    ].filter(Boolean).join(" · ");
  };
  let chosen = end;
  const choose = (i, visible) => {
    chosen = Math.max(0, Math.min(end, i));
    const at = x(data.nights[chosen]);
    cursor.setAttribute("d", `M${at} ${box.top}V${box.bottom}M${at - 3} ${y(data.median[chosen])}h6`);
    cursor.setAttribute("visibility", visible ? "visible" : "hidden");
    place.setAttribute("aria-valuenow", chosen + 1);
    place.setAttribute("aria-valuetext", description(chosen));
    readout.textContent = description(chosen);
    readout.hidden = !visible;
  };
  Object.assign(place, { tabIndex: 0, role: "slider", ariaLabel: sentence(number), ariaValueMin: 1, ariaValueMax: end + 1 });
  place.onkeydown = (event) => {
    const move = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageUp: -10, PageDown: 10, Home: -Infinity, End: Infinity }[event.key];
    if (move === undefined) return;
    event.preventDefault();
    choose(chosen + move, true);
  };
  place.onpointermove = (event) => {
    const at = event.clientX - place.getBoundingClientRect().left;
    let best = 0;
    for (let i = 1; i <= end; i++) if (Math.abs(x(data.nights[i]) - at) < Math.abs(x(data.nights[best]) - at)) best = i;
    choose(best, true);
  };
  place.onpointerleave = () => choose(end, false);
  place.onblur = () => choose(end, false);
  place.onfocus = () => choose(chosen, true);
  place.append(readout);
  choose(end, false);
}
