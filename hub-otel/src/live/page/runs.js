// The list of runs with its filters.

import { now, state } from "./connection.js";
import { badge, copyButton, empty, fill, h, setText } from "./dom.js";
import { count, day, duration, money, plural, time } from "./format.js";
import { Rows } from "./rows.js";

/** @typedef {import("./connection.js").Run} Run */

const STATES = ["running", "waiting", "suspended", "success", "failed", "timed out", "cancelled", "rejected"];
const ACTIVE = new Set(["running", "waiting", "suspended"]);

export const isActive = (/** @type {Run} */ run) => ACTIVE.has(run.state);
export const age = (/** @type {Run} */ run) => duration((run.ended ?? now()) - run.started);

/** @param {Run} run */
function facts(run) {
  // The most important fact first: a narrow row cuts the last ones.
  const parts = [run.error ?? (run.state === "running" ? "" : run.reason), day(run.started) + time(run.started).slice(0, 5), run.trigger];
  if (run.agentsStarted) {
    const done = isActive(run) && run.agentsEnded < run.agentsStarted ? `${count(run.agentsEnded)} of ` : "";
    parts.push(done + plural(run.agentsStarted, "agent"));
  }
  if (run.retries) parts.push(`${count(run.retries)} ${run.retries === 1 ? "retry" : "retries"}`);
  if (run.errors > Number(Boolean(run.error))) parts.push(plural(run.errors, "error"));
  return parts.filter(Boolean).join(" · ");
}

/** Returns tokens and cost. @param {{ inputTokens?: number, outputTokens?: number, cost?: number }} of */
export function usage({ inputTokens = 0, outputTokens = 0, cost = 0 }) {
  const tokens = inputTokens + outputTokens;
  return [tokens > 0 && `${count(tokens)} tok`, cost > 0 && money(cost)].filter(Boolean).join(" · ");
}

/** The list and its filters, created once. */
export class RunList {
  /** @param {(key: string) => void} open */
  constructor(open) {
    const update = () => this.update();
    const label = "Filter runs by workflow, agent, error type, run id or trace id";
    this.text = h("input", { type: "search", placeholder: "workflow, agent, error, id", title: `${label} ( / )`, "aria-label": label, oninput: update });
    this.status = h("select", { "aria-label": "Filter runs by status", onchange: update },
      h("option", { value: "" }, "all statuses"), STATES.map((name) => h("option", { value: name }, name)));
    /** @type {Rows<Run>} */
    this.rows = new Rows({
      height: 64, role: "listbox", label: "Runs",
      key: (run) => run.key,
      create: createRow, update: updateRow,
      select: (run) => open(run.key),
    });
    this.summary = h("p", { class: "summary" });
    this.none = h("div", {});
    this.element = h("section", { class: "panel runs", "aria-label": "Runs" },
      h("div", { class: "filters" }, this.text, this.status), this.rows.element, this.none, this.summary);
  }

  /** Shows the runs that match the filters: those in progress first, then the newest. */
  update() {
    const words = this.text.value.toLowerCase().split(/\s+/).filter(Boolean);
    const status = this.status.value;
    const matches = [...state.runs.values()].filter((run) => {
      if (status && run.state !== status) return false;
      if (!words.length) return true;
      const text = [run.name, run.id, run.key, run.error, run.trigger, run.trace, ...run.agents].join(" ").toLowerCase();
      return words.every((word) => text.includes(word));
    });
    matches.sort((left, right) => Number(isActive(right)) - Number(isActive(left)) || right.started - left.started);
    this.rows.set(matches);
    this.rows.element.hidden = matches.length === 0;
    fill(this.none, matches.length ? null : this.nothing());
    setText(this.summary, summary(matches.length));
  }

  nothing() {
    if (state.runs.size) return empty("No run matches", h("p", {}, "Change the text or the status above."));
    const hint = state.info?.hint;
    const step = hint
      ? [h("p", {}, "Start one:"), h("pre", {}, hint), copyButton("copy the command", () => hint)]
      : [h("p", {}, "Call a function with #[instrument_workflow] or #[instrument_agent]. It is listed here at once.")];
    return empty("No run yet", ...step);
  }
}

/** @param {number} shown */
function summary(shown) {
  const { totals, dropped } = state;
  const part = (/** @type {number} */ value, /** @type {string} */ text) => value > 0 && `${count(value)} ${text}`;
  return [
    `${count(shown)} of ${plural(state.runs.size, "run")}`,
    part(totals.running, "running"), part(totals.waiting, "waiting"), part(totals.failed + totals.timedOut, "failed"),
    part(totals.unlisted, "older ones removed"),
    part(dropped.noSpace, "spans without space"), part(dropped.openSpans, "open spans beyond the limit"),
  ].filter(Boolean).join(" · ");
}

function createRow() {
  const line = (/** @type {string} */ name) => h("span", { class: name });
  return h("div", { class: "run-row", role: "option" }, line("state"), line("name"), line("age"), line("facts"), line("usage"));
}

/** @param {HTMLElement} row @param {Run} run */
function updateRow(row, run) {
  const [mark, name, time, details, used] = row.children;
  if (row.dataset.state !== run.state || !mark.firstChild) {
    row.dataset.state = run.state;
    fill(mark, badge(run.state));
  }
  setText(name, run.name || run.id);
  setText(time, age(run));
  setText(details, facts(run));
  setText(used, usage(run));
  details.classList.toggle("error", Boolean(run.error));
}
