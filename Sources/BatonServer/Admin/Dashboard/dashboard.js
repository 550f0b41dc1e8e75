"use strict";

// The page of the admin listener. It shows what the API tells, and asks again every few seconds. Whatever a stranger can
// have written (names, rooms) reaches the page as text alone, by way of `shown`; nothing here makes markup of a string.

const STATUS_EVERY = 2000;
const ROOMS_EVERY = 4000;
const HISTORY_EVERY = 5000;
const HOUR = 3600;
const SHORTEST_GRAPH = 300;
const MOST_ROWS = 100;
const MOST_EVENTS = 200;

const state = {
  token: sessionStorage.getItem("token"),
  status: null,
  before: null,
  rooms: [],
  history: [],
  interval: 10,
  events: [],
  openRoom: null,
};

const element = (id) => document.getElementById(id);

// MARK: The API

class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function call(method, path, body) {
  const headers = {};
  if (state.token) headers.Authorization = `Bearer ${state.token}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const response = await fetch(path, { method, headers, cache: "no-store", body: body && JSON.stringify(body) });
  if (!response.ok) {
    const text = await response.text();
    let message = text;
    try { message = JSON.parse(text).error.message; } catch { /* no JSON: the text as it is */ }
    throw new Refused(response.status, message || `status ${response.status}`);
  }
  return response.status === 204 ? null : response.json();
}

/** Asks again and again, a while after each answer; what goes wrong is told at the top of the page. */
async function repeat(every, ask) {
  for (;;) {
    if (!document.hidden && !signInWanted()) {
      try {
        await ask();
        notice("");
      } catch (error) {
        failed(error);
      }
    }
    await new Promise((resolve) => { setTimeout(resolve, every); });
  }
}

function failed(error) {
  if (error instanceof Refused && error.status === 401) {
    state.token = null;
    sessionStorage.removeItem("token");
    show("sign-in", true);
    show("figures", false);
    element("sign-in-error").textContent = element("token").value ? "That token is not right." : "";
    element("token").value = "";
    element("token").focus();
  } else if (error instanceof Refused) {
    notice(`The server answers: ${error.message}`);
  } else {
    notice("The server does not answer.");
    badge("unreachable");
  }
}

const signInWanted = () => !element("sign-in").hidden;

// MARK: Text

/** A stranger's text: what is invisible, or would turn what stands around it, is spelled out. */
function visible(text) {
  return String(text).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cs}]/gu, (c) => `\\u{${c.codePointAt(0).toString(16)}}`);
}

function shown(text) {
  const node = document.createElement("bdi");
  node.textContent = visible(text);
  return node;
}

function number(value) {
  return value.toLocaleString("en", { maximumFractionDigits: value < 10 ? 1 : 0 });
}

function bytes(value) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let index = 0;
  while (value >= 1024 && index < units.length - 1) {
    value /= 1024;
    index += 1;
  }
  return `${number(value)} ${units[index]}`;
}

function span(seconds) {
  const parts = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  const first = parts.findIndex(([size]) => seconds >= size);
  if (first < 0) return "0 s";
  return parts.slice(first, first + 2).map(([size, unit], index) => {
    const count = Math.floor((index ? seconds % parts[first][0] : seconds) / size);
    return count || !index ? `${count} ${unit}` : "";
  }).join(" ").trim();
}

function notice(text) {
  const place = element("notice");
  if (place.textContent !== text) place.textContent = text;
  place.hidden = !text;
}

function badge(phase) {
  const place = element("phase");
  if (place.textContent === phase) return;
  place.textContent = phase;
  place.className = `badge ${phase}`;
}

function show(id, isShown) {
  element(id).hidden = !isShown;
}

// MARK: Tables

function cell(content, kind) {
  const node = document.createElement("td");
  if (kind) node.className = kind;
  node.append(content);
  return node;
}

/** Puts rows in a table's body. While a control in it has the focus, it keeps it. */
function fill(id, rows, ifEmpty) {
  const body = element(id);
  const focused = body.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  if (!rows.length) {
    const row = document.createElement("tr");
    const empty = cell(ifEmpty, "empty");
    empty.colSpan = 7;
    row.append(empty);
    rows = [row];
  }
  body.replaceChildren(...rows);
  if (focused) [...body.querySelectorAll("[data-key]")].find((node) => node.dataset.key === focused)?.focus();
}

function row(...cells) {
  const node = document.createElement("tr");
  node.append(...cells);
  return node;
}

function button(text, key, action, kind) {
  const node = document.createElement("button");
  node.type = "button";
  node.append(text);
  node.dataset.key = key;
  if (kind) node.className = kind;
  node.addEventListener("click", action);
  return node;
}

// MARK: What is shown

function perSecond(relay, figure) {
  const before = state.before?.relays.find((other) => other.protocol === relay.protocol);
  const seconds = (state.status.at - (state.before?.at ?? 0)) / 1000;
  return before && seconds > 0 ? Math.max(0, relay[figure] - before[figure]) / seconds : 0;
}

function showStatus() {
  const status = state.status;
  const sum = (figure) => status.relays.reduce((total, relay) => total + figure(relay), 0);
  badge(status.phase);
  element("version").textContent = status.version;
  element("uptime").textContent = `up ${span(status.uptimeSeconds)}`;
  const last = state.history.at(-1);
  const delay = last ? Math.max(0, ...Object.values(last.relays).map((relay) => relay.delayMilliseconds)) : null;
  const tiles = [
    ["Rooms", number(sum((relay) => relay.rooms))],
    ["Peers", number(sum((relay) => relay.peers))],
    ["Connections", number(status.connections)],
    ["Relayed", `${bytes(sum((relay) => perSecond(relay, "bytesRelayed")))}/s`],
    ["Queued", bytes(sum((relay) => relay.queuedBytes))],
    ["Delay", delay === null ? "–" : `${number(delay)} ms`],
    ["Refused", number(sum((relay) => Object.values(relay.refused).reduce((a, b) => a + b, 0)))],
  ];
  element("tiles").replaceChildren(...tiles.map(([name, value]) => {
    const [tile, term, description] = ["div", "dt", "dd"].map((tag) => document.createElement(tag));
    [term.textContent, description.textContent] = [name, value];
    tile.append(term, description);
    return tile;
  }));
  fill("protocols", status.relays.map((relay) => row(
    cell(relay.protocol), cell(relay.listeners.join(", ")), cell(number(relay.rooms), "number"),
    cell(number(relay.peers), "number"), cell(bytes(perSecond(relay, "bytesRelayed")), "number"),
    cell(number(perSecond(relay, "messagesRelayed")), "number"), cell(bytes(relay.queuedBytes), "number"),
  )), "nothing is served");
  const refusals = status.relays.flatMap((relay) =>
    Object.entries(relay.refused).map(([reason, count]) => [reason, relay.protocol, count]));
  refusals.sort((a, b) => b[2] - a[2]);
  fill("refusals", refusals.map(([reason, protocol, count]) =>
    row(cell(reason), cell(protocol), cell(number(count), "number"))), "nobody has been refused");
}

/** What happened since the last answer, by the counters of events and of connections that ended. */
function noteEvents() {
  if (!state.before || state.before.uptimeSeconds > state.status.uptimeSeconds) return;
  for (const relay of state.status.relays) {
    const before = state.before.relays.find((other) => other.protocol === relay.protocol);
    if (!before) continue;
    for (const [kind, word] of [["events", ""], ["closed", "closed: "], ["refused", "refused: "]]) {
      for (const [name, count] of Object.entries(relay[kind])) {
        const more = count - (before[kind][name] ?? 0);
        if (more > 0) state.events.unshift({ at: new Date(), text: `${relay.protocol} ${word}${name}`, more });
      }
    }
  }
  if (state.before.phase !== state.status.phase) {
    state.events.unshift({ at: new Date(), text: `server ${state.status.phase}`, more: 1 });
  }
  state.events.length = Math.min(state.events.length, MOST_EVENTS);
}

function showEvents() {
  const list = element("events");
  if (!state.events.length) {
    const item = document.createElement("li");
    item.textContent = "nothing since this page was opened";
    list.replaceChildren(item);
    return;
  }
  list.replaceChildren(...state.events.map((event) => {
    const item = document.createElement("li");
    const time = document.createElement("time");
    time.dateTime = event.at.toISOString();
    time.textContent = event.at.toLocaleTimeString("en-GB");
    item.append(time, event.more > 1 ? `${event.text} ×${event.more}` : event.text);
    return item;
  }));
}

const oldest = (room) => Math.max(0, ...room.peers.map((peer) => peer.connectedSeconds));
const keyOf = (room) => `${room.protocol} ${room.id}`;

function showRooms() {
  const wanted = element("filter").value.toLowerCase();
  const matches = (room) => [room.id, room.protocol, ...room.peers.flatMap((peer) => [peer.name, peer.endpoint])]
    .some((text) => visible(text).toLowerCase().includes(wanted));
  const found = state.rooms.filter((room) => !wanted || matches(room));
  found.sort((a, b) => b.peers.length - a.peers.length || oldest(b) - oldest(a));
  const top = found.slice(0, MOST_ROWS);
  const count = top.length < found.length ? `the ${top.length} largest of ${found.length}` : `${found.length}`;
  if (element("rooms-count").textContent !== count) element("rooms-count").textContent = count;
  fill("rooms", top.map((room) => row(
    cell(button(shown(room.id), keyOf(room), () => openRoom(keyOf(room)), "link")), cell(room.protocol),
    cell(number(room.peers.length), "number"), cell(span(oldest(room))),
  )), wanted ? "no room fits" : "no rooms");
  if (element("room").open) showRoom();
}

function openRoom(key) {
  state.openRoom = key;
  showRoom();
  element("room").showModal();
}

function showRoom() {
  const room = state.rooms.find((other) => keyOf(other) === state.openRoom);
  if (!room) {
    element("room-facts").textContent = "This room has ended.";
    fill("peers", [], "nobody is left");
    return;
  }
  element("room-title").replaceChildren(shown(room.id));
  element("room-facts").textContent = `${room.protocol}, ${room.peers.length} here`;
  fill("peers", room.peers.map((peer) => {
    const name = peer.name || `peer ${peer.peer}`;
    const kick = button("Kick", `kick ${peer.peer}`, () => kickPeer(room, peer), "danger");
    kick.setAttribute("aria-label", `Kick ${visible(name)}`);
    return row(cell(shown(name)), cell(shown(peer.role)), cell(shown(peer.endpoint)),
      cell(span(peer.connectedSeconds)), cell(kick));
  }), "nobody is here");
}

async function kickPeer(room, peer) {
  const sure = await confirmed("Kick?", [shown(peer.name || `peer ${peer.peer}`), ` in ${room.protocol}, `, shown(peer.endpoint)]);
  if (!sure) return;
  try {
    await call("DELETE", `api/v1/peers/${encodeURIComponent(room.protocol)}/${encodeURIComponent(peer.peer)}`);
    await askRooms();
  } catch (error) {
    element("room-facts").textContent = error instanceof Refused ? visible(error.message) : "The server does not answer.";
  }
}

function confirmed(title, text) {
  const dialog = element("confirm");
  element("confirm-title").textContent = title;
  element("confirm-text").replaceChildren(...text);
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

// MARK: Graphs

const SVG = "http://www.w3.org/2000/svg";
const [WIDTH, HEIGHT] = [600, 160];

function svg(tag, attributes) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}

function drawGraph(id, figure, text) {
  const names = state.status ? state.status.relays.map((relay) => relay.protocol) : [];
  const end = state.history.at(-1)?.time ?? 0;
  const value = (point, name) => (point.relays[name] ? figure(point.relays[name]) : 0);
  const values = state.history.flatMap((point) => names.map((name) => value(point, name)));
  const most = Math.max(0, ...values);
  const reach = Math.min(HOUR, Math.max(SHORTEST_GRAPH, end - (state.history[0]?.time ?? end)));
  const x = (point) => (WIDTH * (point.time - end + reach)) / reach;
  const y = (amount) => HEIGHT - 4 - (most ? (amount / most) * (HEIGHT - 12) : 0);
  const graph = element(id);
  const lines = [0, 0.5, 1].map((part) => svg("line", { class: "grid", x1: 0, x2: WIDTH, y1: y(most * part), y2: y(most * part) }));
  names.forEach((name, index) => {
    const points = state.history.map((point) => `${x(point).toFixed(1)},${y(value(point, name)).toFixed(1)}`);
    lines.push(svg("polyline", { class: `c${index % 8}`, points: points.join(" ") }));
  });
  graph.replaceChildren(...lines);
  const last = state.history.at(-1);
  const now = last ? Math.max(0, ...names.map((name) => value(last, name))) : 0;
  const summary = last ? `now ${text(now)}, most in ${span(reach)} ${text(most)}` : `the first point comes after ${state.interval} s`;
  element(`${id}-text`).textContent = summary;
  graph.setAttribute("aria-label", `${graph.parentElement.querySelector("h2").textContent}: ${summary}`);
}

function drawGraphs() {
  drawGraph("throughput", (relay) => relay.bytesPerSecond, (value) => `${bytes(value)}/s`);
  drawGraph("delay", (relay) => relay.delayMilliseconds, (value) => `${number(value)} ms`);
  const legend = element("legend");
  const names = state.status ? state.status.relays.map((relay) => relay.protocol) : [];
  if (legend.children.length === names.length) return;
  legend.replaceChildren(...names.map((name, index) => {
    const item = document.createElement("li");
    item.className = `c${index % 8}`;
    item.textContent = name;
    return item;
  }));
}

// MARK: Asking

async function askStatus() {
  const status = await call("GET", "api/v1/status");
  status.at = performance.now();
  [state.before, state.status] = [state.status, status];
  show("figures", true);
  show("sign-out", Boolean(state.token));
  showStatus();
  noteEvents();
  showEvents();
}

async function askRooms() {
  state.rooms = (await call("GET", "api/v1/rooms")).rooms;
  showRooms();
}

async function askHistory() {
  const since = state.history.at(-1)?.time ?? 0;
  const answer = await call("GET", `api/v1/history?since=${since}`);
  state.interval = answer.intervalSeconds;
  state.history.push(...answer.points);
  const end = state.history.at(-1)?.time ?? 0;
  state.history = state.history.filter((point) => point.time > end - HOUR);
  drawGraphs();
}

// MARK: Controls

element("sign-in-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  state.token = element("token").value;
  try {
    await askStatus();
    sessionStorage.setItem("token", state.token);
    element("token").value = "";
    element("sign-in-error").textContent = "";
    show("sign-in", false);
    element("main").focus();
    await Promise.all([askRooms(), askHistory()]);
  } catch (error) {
    failed(error);
  }
});

element("sign-out").addEventListener("click", () => {
  sessionStorage.removeItem("token");
  location.reload();
});

element("filter").addEventListener("input", showRooms);

element("theme").addEventListener("click", () => {
  const root = document.documentElement;
  const isDark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = isDark ? "light" : "dark";
  localStorage.setItem("theme", root.dataset.theme);
});

const theme = localStorage.getItem("theme");
if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;

repeat(STATUS_EVERY, askStatus);
repeat(ROOMS_EVERY, askRooms);
repeat(HISTORY_EVERY, askHistory);
