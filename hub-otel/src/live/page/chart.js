// Small charts as SVG.

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 240;
const HEIGHT = 48;

/** @param {string} name @param {Record<string, string | number>} attributes */
function shape(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  return element;
}

/**
 * Draws points over time, the newest at the right. `null` is a gap.
 * @param {(number | null)[]} points
 * @param {number} samples points of the whole width
 * @param {string} label text for screen readers
 */
export function chart(points, samples, label) {
  const svg = shape("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": label, class: "chart" });
  const max = Math.max(...points.map((point) => point ?? 0), Number.MIN_VALUE);
  const x = (/** @type {number} */ index) => WIDTH - ((points.length - 1 - index) / (samples - 1)) * WIDTH;
  const y = (/** @type {number} */ value) => HEIGHT - 2 - (value / max) * (HEIGHT - 6);
  svg.append(shape("line", { x1: 0, x2: WIDTH, y1: HEIGHT - 1, y2: HEIGHT - 1, class: "base" }));
  /** @type {string[]} */
  let part = [];
  const flush = () => {
    // A single point is a short line, which does not leave the chart.
    if (part.length === 1) part.unshift(part[0].replace(/^[^,]+/, (left) => String(Number(left) - 3)));
    if (part.length) {
      const [first, last] = [part[0], part[part.length - 1]].map((point) => point.split(",")[0]);
      svg.append(shape("polygon", { points: `${first},${HEIGHT - 1} ${part.join(" ")} ${last},${HEIGHT - 1}`, class: "area" }));
      svg.append(shape("polyline", { points: part.join(" "), class: "curve" }));
    }
    part = [];
  };
  points.forEach((point, index) => {
    if (point === null) flush();
    else part.push(`${x(index).toFixed(1)},${y(point).toFixed(1)}`);
  });
  flush();
  return svg;
}
