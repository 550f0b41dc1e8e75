// The graphs: a line for each protocol.

import { bytes, number, span } from "./text.js";

const HOUR = 3600;
const SHORTEST_GRAPH = 300;
const element = (id) => document.getElementById(id);

const SVG = "http://www.w3.org/2000/svg";
const [WIDTH, HEIGHT] = [600, 160];

function svg(tag, attributes) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}

function drawGraph(id, { names, history, interval }, figure, text) {
  const end = history.at(-1)?.time ?? 0;
  const value = (point, name) => (point.relays[name] ? figure(point.relays[name]) : 0);
  const values = history.flatMap((point) => names.map((name) => value(point, name)));
  const most = Math.max(0, ...values);
  const reach = Math.min(HOUR, Math.max(SHORTEST_GRAPH, end - (history[0]?.time ?? end)));
  const x = (point) => (WIDTH * (point.time - end + reach)) / reach;
  const y = (amount) => HEIGHT - 4 - (most ? (amount / most) * (HEIGHT - 12) : 0);
  const graph = element(id);
  const lines = [0, 0.5, 1].map((part) => svg("line", { class: "grid", x1: 0, x2: WIDTH, y1: y(most * part), y2: y(most * part) }));
  names.forEach((name, index) => {
    const points = history.map((point) => `${x(point).toFixed(1)},${y(value(point, name)).toFixed(1)}`);
    lines.push(svg("polyline", { class: `c${index % 8}`, points: points.join(" ") }));
  });
  graph.replaceChildren(...lines);
  const last = history.at(-1);
  const now = last ? Math.max(0, ...names.map((name) => value(last, name))) : 0;
  const summary = last ? `now ${text(now)}, most in ${span(reach)} ${text(most)}` : `the first point comes after ${interval} s`;
  element(`${id}-text`).textContent = summary;
  graph.setAttribute("aria-label", `${graph.parentElement.querySelector("h2").textContent}: ${summary}`);
}

/** Draws what `names` did in `history`, whose points are `interval` seconds apart. */
export function drawGraphs(what) {
  drawGraph("throughput", what, (relay) => relay.bytesPerSecond, (value) => `${bytes(value)}/s`);
  drawGraph("delay", what, (relay) => relay.delayMilliseconds, (value) => `${number(value)} ms`);
  const legend = element("legend");
  if (legend.children.length === what.names.length) return;
  legend.replaceChildren(...what.names.map((name, index) => {
    const item = document.createElement("li");
    item.className = `c${index % 8}`;
    item.textContent = name;
    return item;
  }));
}
