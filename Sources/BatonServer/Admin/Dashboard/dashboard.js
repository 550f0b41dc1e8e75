// The page of the admin listener. It shows what the API tells, and asks again every few seconds. Whatever a stranger can
// have written (names, rooms) reaches the page as text alone, by way of `shown`; nothing here makes markup of a string.

import { drawGraphs } from "./graphs.js";
import { bytes, number, shown, span, visible } from "./text.js";

const STATUS_EVERY = 2000;
const ROOMS_EVERY = 4000;
const HISTORY_EVERY = 5000;
const HOUR = 3600;
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
  bans: [],
  /** What the server told of its bans when they were asked for. */
  bansKnown: "",
  lastEvent: 0,
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

// MARK: What is shown, and changed

function perSecond(relay, figure) {
  const before = state.before?.relays.find((other) => other.protocol === relay.protocol);
  const seconds = (state.status.at - (state.before?.at ?? 0)) / 1000;
  return before && seconds > 0 ? Math.max(0, relay[figure] - before[figure]) / seconds : 0;
}

/** Whether the server lets itself be changed by this page. */
const mayChange = () => state.status?.access.access === "full";

function showStatus() {
  const status = state.status;
  show("drain", mayChange() && status.phase !== "stopping");
  element("drain").textContent = status.phase === "draining" ? "Stop draining…" : "Drain…";
  show("ban-form", mayChange());
  if (status.banDatabase?.state === "failed") notice(`${visible(status.banDatabase.failure ?? "")}`);
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
    item.append(time, event.text);
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
  show("close-room", mayChange());
  fill("peers", room.peers.map((peer) => {
    const name = peer.name || `peer ${peer.peer}`;
    const kick = button("Kick", `kick ${peer.peer}`, () => kickPeer(room, peer), "danger");
    kick.setAttribute("aria-label", `Kick ${visible(name)}`);
    const ban = button("Ban", `ban ${peer.peer}`, () => banPeer(room, peer), "danger");
    ban.setAttribute("aria-label", `Ban ${visible(name)}`);
    [kick.disabled, ban.disabled] = [!mayChange(), !mayChange()];
    const actions = document.createElement("span");
    actions.className = "actions";
    actions.append(kick, " ", ban);
    return row(cell(shown(name)), cell(shown(peer.role)), cell(shown(peer.endpoint)),
      cell(span(peer.connectedSeconds)), cell(actions));
  }), "nobody is here");
}

async function kickPeer(room, peer) {
  const sure = await confirmed("Kick?", whoIs(room, peer));
  if (!sure) return;
  await change("room-facts", async () => {
    await call("DELETE", `api/v1/peers/${encodeURIComponent(room.protocol)}/${encodeURIComponent(peer.peer)}`);
    await askRooms();
  });
}

const whoIs = (room, peer) => [shown(peer.name || `peer ${peer.peer}`), ` in ${room.protocol}, `, shown(peer.endpoint)];

async function banPeer(room, peer) {
  if (!await confirmed("Ban the address for a day?", whoIs(room, peer), { wantsReason: true })) return;
  const address = peer.endpoint.replace(/:\d+$/, "").replace(/^\[|\]$/g, "");
  await change("room-facts", async () => {
    await addBan("address", address, element("confirm-reason").value, 86400);
    await Promise.all([askRooms(), askBansAnew()]);
  });
}

async function addBan(subject, value, reason, seconds) {
  const ban = { subject, value, reason };
  if (seconds) ban.expires = `${new Date(Date.now() + seconds * 1000).toISOString().slice(0, 19)}Z`;
  await call("POST", "api/v1/bans", ban);
}

async function closeRoom() {
  const room = state.rooms.find((other) => keyOf(other) === state.openRoom);
  if (!room || !await confirmed("End the room for everybody?", [shown(room.id), ` in ${room.protocol}`])) return;
  await change("room-facts", async () => {
    await call("DELETE", `api/v1/rooms/${encodeURIComponent(room.protocol)}/${encodeURIComponent(room.id)}`);
    await askRooms();
  });
}

async function drain() {
  const isDraining = state.status.phase === "draining";
  const text = isDraining ? "New rooms are taken again." : "No new rooms are taken; the server stops when the last one has ended.";
  if (!await confirmed(isDraining ? "Stop draining?" : "Drain?", [text])) return;
  try {
    await call(isDraining ? "DELETE" : "POST", "api/v1/drain", isDraining ? undefined : {});
    await askStatus();
  } catch (error) {
    failed(error);
  }
}

function showBans() {
  const count = state.status.bans.count;
  element("bans-count").textContent = count > state.bans.length ? `the ${state.bans.length} newest of ${count}` : `${count}`;
  fill("bans", [...state.bans].reverse().map((ban) => {
    const lift = button("Lift", `lift ${ban.id}`, () => change("bans-notice", async () => {
      await call("DELETE", `api/v1/bans/${encodeURIComponent(ban.id)}`);
      await askBansAnew();
    }));
    lift.setAttribute("aria-label", `Lift the ban of ${visible(ban.value)}`);
    lift.disabled = !mayChange() || ban.source !== "api";
    const who = document.createElement("span");
    who.append(`${ban.subject} `, shown(ban.value), ban.protocol ? ` (${visible(ban.protocol)})` : "");
    return row(cell(who), cell(shown(ban.reason)), cell(ban.expires ? new Date(ban.expires).toLocaleString("en-GB") : "for ever"),
      cell(shown(ban.source === "configuration" ? "configuration" : ban.author)), cell(lift));
  }), "nobody is banned");
}

/** Changes something at the server; what goes wrong is told beside it. */
async function change(place, work) {
  try {
    await work();
    if (place === "bans-notice") element(place).textContent = "";
  } catch (error) {
    element(place).textContent = error instanceof Refused ? visible(error.message) : "The server does not answer.";
  }
}

function confirmed(title, text, { wantsReason = false } = {}) {
  const dialog = element("confirm");
  element("confirm-title").textContent = title;
  element("confirm-text").replaceChildren(...text);
  show("confirm-reason-label", wantsReason);
  element("confirm-reason").value = "";
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => { answer = resolve; });
}

/** Answers the question that is open. */
let answer = () => {};
// The browser tells of a closing a little later: by then the next question may be open, and it is none of its own.
element("confirm").addEventListener("close", () => {
  if (!element("confirm").open) answer(element("confirm").returnValue === "yes");
});

// MARK: Asking

async function askStatus() {
  const status = await call("GET", "api/v1/status");
  status.at = performance.now();
  [state.before, state.status] = [state.status, status];
  show("figures", true);
  show("sign-out", Boolean(state.token));
  showStatus();
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
  drawGraphs({ names: (state.status?.relays ?? []).map((relay) => relay.protocol), history: state.history, interval: state.interval });
}

/** Asks for the bans if they have changed; there can be very many. */
async function askBans() {
  const known = JSON.stringify(state.status?.bans ?? "");
  if (!state.status || known === state.bansKnown) return;
  state.bans = (await call("GET", `api/v1/bans?newest=${MOST_ROWS}`)).bans;
  state.bansKnown = known;
  showBans();
}

/** After a change of one's own. */
async function askBansAnew() {
  await askStatus();
  await askBans();
}

/** Follows the server's events for as long as it tells them. */
async function followEvents() {
  const response = await fetch(`api/v1/events?after=${state.lastEvent}`, {
    headers: state.token ? { Authorization: `Bearer ${state.token}` } : {}, cache: "no-store",
  });
  if (!response.ok) throw new Refused(response.status, await response.text());
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    text += value.replaceAll("\r", "");
    const blocks = text.split("\n\n");
    text = blocks.pop();
    for (const block of blocks) noteEvent(block);
    if (blocks.length) showEvents();
  }
}

function noteEvent(block) {
  const data = block.split("\n").filter((line) => line.startsWith("data:")).map((line) => line.slice(5)).join("\n");
  if (!data) return;
  const event = JSON.parse(data);
  state.lastEvent = event.id;
  const words = [event.protocol, event.event, event.reason, event.peer && `peer ${event.peer}`, event.address, event.message];
  state.events.unshift({ at: new Date(event.time), text: words.filter(Boolean).map(visible).join(" · ") });
  state.events.length = Math.min(state.events.length, MOST_EVENTS);
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
element("close-room").addEventListener("click", closeRoom);
element("drain").addEventListener("click", drain);

element("ban-form").addEventListener("submit", (event) => {
  event.preventDefault();
  change("bans-notice", async () => {
    const value = element("ban-value").value.trim();
    await addBan(element("ban-subject").value, value, element("ban-reason").value, Number(element("ban-time").value));
    element("ban-value").value = "";
    element("ban-reason").value = "";
    await Promise.all([askBansAnew(), askRooms()]);
  });
});

element("theme").addEventListener("click", () => {
  const root = document.documentElement;
  const isDark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = isDark ? "light" : "dark";
  localStorage.setItem("theme", root.dataset.theme);
});

const theme = localStorage.getItem("theme");
if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;

showEvents();
repeat(STATUS_EVERY, askStatus);
repeat(ROOMS_EVERY, askRooms);
repeat(HISTORY_EVERY, askHistory);
repeat(ROOMS_EVERY, askBans);
repeat(STATUS_EVERY, followEvents);
