// Throughput over latency, read from the table next to it.
function drawTradeOff(place) {
  const points = [...place.parentElement.querySelectorAll("tbody tr")].map((row) => {
    const [latency, throughput] = [...row.querySelectorAll("data")].map((cell) => Number(cell.value));
    return { size: row.cells[0].textContent, latency, throughput, front: row.classList.contains("front") };
  });
  const titles = [...place.parentElement.querySelectorAll("thead th")].map((cell) => cell.textContent);
  place.replaceChildren();
  const width = Math.max(place.clientWidth, 160), height = place.clientHeight;
  const box = { left: 52, right: width - 30, top: 22, bottom: height - 34 };
  const [left, right] = [0, Math.max(...points.map((point) => point.latency)) * 1.06 || 1];
  const [low, high] = [0, Math.max(...points.map((point) => point.throughput)) * 1.1 || 1];
  const x = (value) => box.left + (value - left) / (right - left) * (box.right - box.left);
  const y = (value) => box.bottom - (value - low) / (high - low) * (box.bottom - box.top);
  const svg = svgElement("svg", { viewBox: `0 0 ${width} ${height}`, width, height, "aria-hidden": "true" }, place);
  for (const value of ticks(low, high, 3)) {
    svgElement("path", { class: "grid", d: `M${box.left} ${y(value)}H${box.right}` }, svg);
    svgElement("text", { class: "tick end", x: box.left - 6, y: y(value) + 4 }, svg, shown(value));
  }
  for (const value of ticks(left, right, Math.max(2, Math.floor(width / 110)))) {
    svgElement("text", { class: "tick middle", x: x(value), y: box.bottom + 15 }, svg, shown(value));
  }
  svgElement("text", { class: "tick end", x: box.right, y: height - 4 }, svg, titles[1]);
  svgElement("text", { class: "tick start", x: 4, y: 12 }, svg, titles[2]);
  const path = (chosen) => chosen.map((point, i) => `${i ? "L" : "M"}${x(point.latency)} ${y(point.throughput)}`).join("");
  svgElement("path", { class: "all-sizes", d: path(points) }, svg);
  const front = points.filter((point) => point.front).sort((a, b) => a.latency - b.latency);
  svgElement("path", { class: "front", d: path(front) }, svg);
  for (const point of points) {
    svgElement("circle", { class: point.front ? "dot front" : "dot beaten", cx: x(point.latency), cy: y(point.throughput), r: 4 }, svg);
    svgElement("text", { class: "tick start", x: x(point.latency) + 7, y: y(point.throughput) + 4 }, svg, point.size);
  }
}
