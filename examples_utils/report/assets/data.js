// The histories, in the format of packing.py.
async function unpacked(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return JSON.parse(await new Response(stream).text());
}

const report = await unpacked(document.getElementById("-data").textContent);
const decoded = new Map();

// One metric's history: arrays of equal length, or null without a history.
function history(number) {
  if (!decoded.has(number)) decoded.set(number, decode(report.figures[number]));
  return decoded.get(number);
}

function decode(figure) {
  if (!figure.nights) return null;
  const nights = summed(figure.nights);
  const scale = 10 ** Math.abs(figure.decimals);
  const median = summed(figure.medians).map((whole) => (figure.decimals < 0 ? whole * scale : whole / scale));
  const low = median.map((value, i) => value - figure.below[i] * figure.band);
  const high = median.map((value, i) => value + figure.above[i] * figure.band);
  return { nights, median, low, high };
}

function summed(differences) {
  let sum = 0;
  return differences.map((difference) => (sum += difference));
}

const count = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;

const percent = (ratio) => `${ratio < 1 ? "−" : "+"}${Math.abs((ratio - 1) * 100).toFixed(1)}%`;

// Five significant digits, as everywhere on the page.
function shown(value) {
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e7)) return value.toExponential(4);
  return String(Number(value.toPrecision(5)));
}

// Notes on a night, in addition to its values.
function notesOf(figure, night) {
  const variant = report.variants[figure.variant];
  const step = figure.steps.find(([at]) => at === night);
  return [
    step ? `change point ${percent(step[3])}` : "",
    variant.failed.includes(night) ? "failed" : "",
    variant.notes[night] ?? "",
    report.nights.notes[night] ?? "",
  ].filter(Boolean);
}
