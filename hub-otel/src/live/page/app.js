// The page: navigation, the three views, keyboard.

import { ApprovalView } from "./approvals.js";
import { approvals, changed, onChange, request, select, start, state } from "./connection.js";
import { fill, h, setText } from "./dom.js";
import { bytes, count } from "./format.js";
import { HealthView } from "./health.js";
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
const healthView = new HealthView();
const split = h("div", { class: "split" }, list.element, runView.element);
/** @type {Record<string, { element: HTMLElement, update: () => unknown }>} */
const views = {
  runs: { element: split, update: () => [list.update(), runView.update()] },
  approvals: new ApprovalView(),
  health: healthView,
};
const links = Object.keys(views).map((view) =>
  h("a", { href: `#/${view}`, "data-view": view }, view[0].toUpperCase() + view.slice(1), " ", h("b", {})));
fill(nav, links);

let view = "";
let collector = "";

/** Shows the view of the location. */
function route() {
  const [, name = "runs", key = ""] = location.hash.split("/");
  const run = decodeURIComponent(key);
  const next = name in views ? name : "runs";
  if (next !== view) {
    view = next;
    fill(main, views[view].element);
    healthView.requested = 0;
  }
  split.classList.toggle("has-run", run !== "");
  list.rows.selected = run || null;
  select(view === "runs" && run ? run : null);
  for (const link of links) {
    if (link.dataset.view === view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
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
  const parts = [`${name} ${version}`.trim(), collector, `${bytes(state.bytes)} of ${bytes(state.limit)}`];
  const signature = [dot, ...parts].join("|");
  if (service.dataset.signature === signature) return;
  service.dataset.signature = signature;
  fill(service, h("span", { class: state.link === "live" ? "ok" : "error" }, dot), parts.filter(Boolean).map((part) => h("span", {}, part)));
}

/** Reads whether the Collector is reachable. */
async function readCollector() {
  try {
    const health = await request("live/health");
    const broken = health.collectors.some((/** @type {any} */ it) => !it.reached && it.error);
    const spans = health.delivery.find((/** @type {any} */ it) => it.signal === "traces");
    if (!health.collectors.length) collector = "";
    else if (broken) collector = `Collector: not reachable, ${count(spans?.pending ?? 0)} spans kept`;
    else collector = health.collectors.some((/** @type {any} */ it) => it.reached) ? "Collector: reached" : "";
    changed();
  } catch {
    // The state of the connection is shown already.
  }
}

// The token is in the cookie now: it is removed from the address, the history and copied links.
if (location.search.includes("token=")) history.replaceState(null, "", location.pathname + location.hash);

document.addEventListener("keydown", (event) => {
  const target = event.target;
  const isField = target instanceof HTMLInputElement || target instanceof HTMLSelectElement;
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape" && location.hash.startsWith("#/runs/") && !isField) location.hash = "#/runs";
  if (isField) return;
  if (event.key === "/") {
    event.preventDefault();
    location.hash = "#/runs";
    list.text.focus();
  }
});
window.addEventListener("hashchange", route);
onChange(update);
start();
route();
readCollector();
setInterval(() => document.hidden || readCollector(), 10_000);
setInterval(() => {
  if (document.hidden) return;
  const isMoving = [...state.runs.values()].some(isActive) || approvals().length > 0;
  if (isMoving || view === "health") update();
}, TICK_MS);
