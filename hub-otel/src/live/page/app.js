// The page: navigation, the three views, keyboard.

import { ApprovalView } from "./approvals.js";
import { approvals, onChange, select, start, state } from "./connection.js";
import { fill, h, refill, setText } from "./dom.js";
import { bytes, count } from "./format.js";
import { collector, HealthView } from "./health.js";
import { RunView } from "./run.js";
import { isActive, RunList } from "./runs.js";

const NOTICES = {
  live: "",
  lost: "The connection to the process is lost. This page reconnects by itself.",
  denied: "The process has another token, it restarted: open the URL that it printed.",
};
/** Interval of the growth of open bars. */
const TICK_MS = 250;
const find = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));
const [nav, main, service, notice] = ["nav", "main", "service", "notice"].map(find);

const list = new RunList((key) => (location.hash = `#/runs/${encodeURIComponent(key)}`));
const runView = new RunView();
const split = h("div", { class: "split" }, list.element, runView.element);
/** @type {Record<string, { element: HTMLElement, update: () => unknown }>} */
const views = {
  runs: { element: split, update: () => [list.update(), runView.update()] },
  approvals: new ApprovalView(),
  health: new HealthView(),
};
const links = Object.keys(views).map((view) =>
  h("a", { href: `#/${view}`, "data-view": view }, view[0].toUpperCase() + view.slice(1), " ", h("b", {})));
fill(nav, links);

let view = "";

/** Decodes a part of the location. One that cannot be decoded is the id of no run. @param {string} text */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Shows the view of the location. */
function route() {
  const [, name = "runs", key = ""] = location.hash.split("/");
  const run = decoded(key);
  const next = name in views ? name : "runs";
  if (next !== view) {
    view = next;
    fill(main, views[view].element);
  }
  split.classList.toggle("has-run", run !== "");
  list.rows.selected = run || null;
  select(view === "runs" && run ? run : null);
  for (const link of links) link.ariaCurrent = link.dataset.view === view ? "page" : null;
  const title = view === "runs" ? state.runs.get(run)?.name ?? "runs" : view;
  document.title = `${title} · hub-otel live`;
  update();
}

/** Shows the state. */
function update() {
  views[view].update();
  const waiting = approvals().length;
  setText(/** @type {Element} */ (links[1].lastElementChild), waiting ? count(waiting) : "");
  updateService();
  const text = NOTICES[state.link];
  notice.hidden = text === "";
  setText(notice, text);
}

function updateService() {
  const name = state.info?.service ?? "";
  const version = state.info?.resource["service.version"] ?? "";
  const dot = state.link === "live" ? "● connected" : "○ not connected";
  const parts = [`${name} ${version}`.trim(), collector(), `${bytes(state.bytes)} of ${bytes(state.limit)}`].filter(Boolean);
  refill(service, [dot, ...parts].join("|"), () => [
    h("span", { class: state.link === "live" ? "ok" : "error" }, dot), ...parts.map((part) => h("span", {}, part)),
  ]);
}

// The token is in the cookie now: it is removed from the address, the history and copied links.
if (location.search.includes("token=")) history.replaceState(null, "", location.pathname + location.hash);

document.addEventListener("keydown", (event) => {
  const target = event.target;
  const isField = target instanceof HTMLInputElement || target instanceof HTMLSelectElement;
  if (isField || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape" && location.hash.startsWith("#/runs/")) location.hash = "#/runs";
  if (event.key === "/") event.preventDefault();
  if (split.isConnected && !runView.body.hidden) {
    runView.press(event.key);
  } else if (event.key === "/") {
    location.hash = "#/runs";
    list.text.focus();
  }
});
window.addEventListener("hashchange", route);
onChange(update);
start();
route();
setInterval(() => {
  if (document.hidden) return;
  const isMoving = [...state.runs.values()].some(isActive) || approvals().length > 0;
  if (isMoving) update();
}, TICK_MS);
