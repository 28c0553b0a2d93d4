// One run: its head, its waterfall, its log lines.

import { changed, now, request, state } from "./connection.js";
import { badge, copyButton, empty, fill, h, refill, setText } from "./dom.js";
import { Details } from "./details.js";
import { count, day, duration, money, plural, time } from "./format.js";
import { decisionBar } from "./approvals.js";
import { Find } from "./find.js";
import { isArrow, Rows } from "./rows.js";
import { age, isActive, usage } from "./runs.js";
import { isFailed, lines } from "./tree.js";

/**
 * @typedef {import("./connection.js").Span} Span
 * @typedef {import("./connection.js").Run} Run
 * @typedef {import("./tree.js").Line} Line
 */

/** Most log lines that are shown. */
const MAX_LOGS = 500;
/** Most bars of one line. */
const MAX_BARS = 60;
/** Distances of the time axis in microseconds. */
const STEPS = [1, 2, 5].flatMap((step) => [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map((power) => step * 10 ** power))
  .concat([6e7, 12e7, 3e8, 6e8, 18e8, 36e8, 72e8]).sort((left, right) => left - right);

/** The view of a run, created once. */
export class RunView {
  constructor() {
    this.title = h("h2", {});
    this.tools = h("div", { class: "tools" });
    this.facts = h("div", { class: "facts" });
    this.age = h("b", {});
    this.related = h("div", { class: "facts" });
    this.head = h("div", { class: "run-head" }, h("a", { class: "back", href: "#/runs" }, "‹ Runs"), this.title, this.tools, this.facts, this.related);
    this.wait = h("div", {});
    this.ticks = h("div", { class: "ticks", "aria-hidden": "true" });
    /** @type {Set<string>} */
    this.toggled = new Set();
    /** @type {string[]} Ids of the spans whose time is the whole axis. None: that of the run. */
    this.zoomed = [];
    this.key = "";
    // Begin and end of the axis, and the end of the run.
    this.from = 0;
    this.to = this.end = 1;
    this.services = this.processes = 0;
    /** @type {Rows<Line>} */
    this.rows = new Rows({
      height: 28, role: "tree", label: "Spans of the run",
      key: (line) => line.key,
      create: createLine,
      update: (element, line) => this.updateLine(element, line),
      select: (line) => this.choose(line),
      toggle: (line, open) => this.toggle(line, open),
    });
    this.rows.element.addEventListener("dblclick", (event) => {
      const line = this.rows.items[this.rows.index()];
      if (line && !isArrow(event)) this.toggle(line);
    });
    this.details = new Details((span) => this.zoom([span]));
    this.find = new Find({ change: () => this.update(), move: (isForward) => this.findNext(isForward), leave: () => this.rows.element.focus() });
    this.range = h("span", { class: "range", role: "status" });
    this.whole = h("button", { class: "quiet", type: "button", title: "Show the whole run ( 0 )", onclick: () => this.zoom() }, "whole run");
    this.logTitle = h("h3", {});
    this.logScope = h("button", { class: "quiet", type: "button", onclick: () => this.updateLogs(state.detail, !this.isOfRun) });
    this.isOfRun = false;
    this.noLogs = h("p", { class: "muted" }, "No log line. Events of the tracing and log crates inside of a run are shown here.");
    /** @type {import("./connection.js").Log[]} The lines that are shown. */
    this.shown = [];
    this.logs = h("div", { class: "logs", tabindex: 0, role: "log", "aria-label": "Log lines" });
    this.none = h("div", {});
    this.body = h("div", { class: "run-body" },
      this.wait,
      this.waterfall = h("div", { class: "waterfall" }, h("div", { class: "find" }, this.find.element, this.range, this.whole), h("div", { class: "axis" }, this.ticks), this.rows.element),
      h("div", { class: "below" }, this.details.element, h("section", { class: "log-panel", "aria-label": "Log lines" }, h("div", { class: "span-head" }, this.logTitle, this.logScope), this.noLogs, this.logs)),
    );
    this.element = h("section", { class: "panel run", "aria-label": "Run" }, this.head, this.none, this.body);
  }

  /** Shows the selected run. */
  update() {
    const detail = state.detail;
    const run = detail ? state.runs.get(detail.run) : undefined;
    this.body.hidden = this.head.hidden = !run;
    if (!detail || !run) {
      fill(this.none, detail && state.link === "live" && detail.missing
        ? empty("This run is not in the store", h("p", {}, "It ended a while ago and made room for newer ones, or the process restarted. Look for it in your trace backend."), h("p", {}, h("a", { href: "#/runs" }, "All runs")))
        : state.runs.size > 0 && empty("Select a run", h("p", {}, "Its spans, attributes and log lines are shown here while it runs.")));
      return;
    }
    fill(this.none);
    if (this.key !== detail.run) {
      this.key = detail.run;
      this.toggled.clear();
      this.zoomed = [];
      this.find.field.value = "";
      this.rows.selected = null;
      this.rows.element.scrollTop = 0;
      this.details.show(null);
    }
    const processes = [...detail.spans.values()].map(processOf);
    this.services = new Set(processes.map(([service]) => service)).size;
    this.processes = new Set(processes.map(String)).size;
    this.updateHead(run, detail);
    fill(this.wait, decisionBar(run.key));
    const whole = extent(detail.spans.values(), run.started, run.ended);
    const zoomed = this.zoomed.flatMap((id) => detail.spans.get(id) ?? []);
    [this.from, this.to] = zoomed.length ? extent(zoomed) : whole;
    this.end = whole[1];
    const name = zoomed.length > 1 ? plural(zoomed.length, "span") : zoomed[0]?.name;
    setText(this.range, zoomed.length ? `zoom: ${name}, ${duration(this.from - whole[0])} after the start` : "");
    this.whole.hidden = !zoomed.length;
    this.updateAxis();
    this.find.update(detail, this.rows.selected);
    this.rows.set(lines(detail.spans.values(), (key, isGroup) => this.isOpen(key, isGroup)));
    this.updateLogs(detail);
    this.details.refresh();
  }

  /** @param {Run} run @param {import("./connection.js").Detail} detail */
  updateHead(run, detail) {
    const fact = (/** @type {string} */ name, /** @type {string} */ value, style = "") => h("span", { class: `fact ${style}` }, `${name} `, h("b", {}, value));
    const url = state.info?.traceUrl?.replaceAll("{trace_id}", run.trace);
    const canCancel = state.info?.canCancel && isActive(run);
    // Each part is replaced after a change of its own only: a link keeps the focus meanwhile.
    refill(this.title, run.name + run.state, () => [run.name || run.id, " ", badge(run.state)]);
    refill(this.facts, JSON.stringify([run, detail.dropped, this.processes]), () => [
      fact("run", run.key),
      fact("started", day(run.started) + time(run.started)),
      h("span", { class: "fact" }, run.ended ? "took " : "for ", this.age),
      run.segments > 1 && fact("segments", count(run.segments)),
      this.processes > 1 && fact("processes", count(this.processes)),
      run.agentsStarted > 0 && fact("agents", `${count(run.agentsEnded)} of ${count(run.agentsStarted)}`),
      run.retries > 0 && fact("retries", count(run.retries)),
      run.inputTokens + run.outputTokens > 0 && fact("tokens", `${count(run.inputTokens)} in · ${count(run.outputTokens)} out`),
      run.cost > 0 && fact("cost", money(run.cost)),
      run.error && fact("error", run.error, "error"),
      detail.dropped > 0 && fact("not stored", count(detail.dropped)),
    ]);
    setText(this.age, age(run));
    refill(this.tools, JSON.stringify([run.key, url, canCancel]), () => [
      copyButton("copy link", () => location.href),
      copyButton("copy trace id", () => run.trace),
      h("a", { class: "quiet", href: `live/trace?run=${encodeURIComponent(run.key)}`, download: "" }, "save as OTLP JSON"),
      url && h("a", { class: "quiet", href: url, rel: "noreferrer noopener", target: "_blank" }, "open trace ↗"),
      canCancel && h("button", { class: "quiet danger", type: "button", onclick: () => cancel(run) }, "cancel run"),
    ]);
    refill(this.related, JSON.stringify(detail.linked), () => detail.linked.map((link) =>
      h("a", { href: `#/runs/${encodeURIComponent(link.run)}` }, `${link.back ? "← linked from" : "→ links to"} ${link.name}`)));
    this.waterfall.classList.toggle("with-usage", run.inputTokens + run.outputTokens > 0);
  }

  updateAxis() {
    const length = this.to - this.from;
    // As many as fit: a label is up to 64 pixels wide. None at the right end, where its text would be cut.
    const most = Math.min(6, Math.max(2, Math.floor(this.ticks.clientWidth / 72)));
    const step = STEPS.find((candidate) => length / candidate <= most) ?? length;
    const ticks = [];
    for (let at = 0; at <= length * (1 - 0.4 / most); at += step) {
      const tick = h("span", {}, at === 0 ? "0" : duration(at).replace(/(\.\d*?)0+ /, "$1 ").replace(". ", " "));
      tick.style.left = `${(at / length) * 100}%`;
      ticks.push(tick);
    }
    fill(this.ticks, ticks);
  }

  /** @param {HTMLElement} element @param {Line} line */
  updateLine(element, line) {
    const [label, track, used, length] = /** @type {HTMLElement[]} */ ([...element.children]);
    const [arrow, kind, name, note] = label.children;
    label.style.paddingLeft = `${Math.min(line.depth, 12) * 16}px`;
    setText(arrow, line.children ? (line.open ? "▾" : "▸") : "");
    setText(kind, line.kind);
    setText(name, line.name);
    const process = this.processes > 1 ? processName(line.spans[0], this.services > 1) : "";
    const parent = state.detail?.spans.get(line.spans[0].parent ?? "");
    // Where it changes: the lines below are of the same process.
    const isOfParent = parent && String(processOf(parent)) === String(processOf(line.spans[0]));
    setText(note, [line.note, !isOfParent && process].filter(Boolean).join(" "));
    element.classList.toggle("match", this.find.keys.has(line.key));
    element.setAttribute("aria-level", String(line.depth + 1));
    element.ariaExpanded = line.children ? String(line.open) : null;
    const total = this.to - this.from;
    // A group of many spans is drawn as its first ones, and summed over all.
    const drawn = line.spans.slice(0, MAX_BARS);
    while (track.childElementCount > drawn.length) track.lastElementChild?.remove();
    while (track.childElementCount < drawn.length) track.append(h("i", {}));
    for (const [index, span] of drawn.entries()) {
      const bar = /** @type {HTMLElement} */ (track.children[index]);
      const { started, ended = this.end } = span;
      const [left, right] = [started, ended].map((at) => Math.min(Math.max((at - this.from) / total, 0), 1) * 100);
      const cut = `${started < this.from ? " cut-left" : ""}${ended > this.to ? " cut-right" : ""}`;
      const look = cut && left === right ? "outside" : `${span.kind}${span.ended === undefined ? " open" : ""}${isFailed(span) ? " failed" : ""}`;
      bar.className = `bar ${look}${cut}`;
      bar.style.left = `${left}%`;
      bar.style.width = `${right - left}%`;
    }
    const last = line.spans.findLast(isFailed);
    const failed = last && (last.error ?? last.state);
    note.classList.toggle("error", line.spans.length > 1 && Boolean(failed));
    setText(length, duration(line.spans.reduce((sum, span) => sum + (span.ended ?? now()) - span.started, 0)));
    setText(used, usage(line.spans[0]));
    const status = line.spans.length === 1 ? line.spans[0].state : "";
    // The name is the visible text; the state is its description.
    element.title = [line.name, status, failed, process, this.find.keys.has(line.key) && "match"].filter(Boolean).join(", ");
  }

  /** @param {Line} line */
  choose(line) {
    if (line.spans.length > 1) {
      this.toggle(line);
      return;
    }
    this.details.show(line.spans[0]);
    changed();
  }

  /** @param {Line} line @param {boolean} [open] */
  toggle(line, open = !line.open) {
    if (!line.children || line.open === open) return;
    this.flip(line.key);
    changed();
  }

  /** @param {string} key */
  flip(key) { if (!this.toggled.delete(key)) this.toggled.add(key); }

  /** Groups are closed at first, other lines are open. @param {string} key @param {boolean} isGroup */
  isOpen(key, isGroup) { return this.toggled.has(key) === isGroup; }

  /** Selects the next or the previous match and opens the lines that contain it. @param {boolean} isForward */
  findNext(isForward) {
    const path = this.find.path(isForward, this.rows.selected);
    const target = path.pop();
    if (!target) return;
    for (const { key, spans } of path) if (!this.isOpen(key, spans.length > 1)) this.flip(key);
    this.rows.selected = target.key;
    this.update();
    this.rows.moveTo(this.rows.index());
  }

  /** Shows the time of some spans on the whole axis. None: that of the run. @param {Span[]} [spans] */
  zoom(spans = []) {
    this.zoomed = spans.map(({ id }) => id);
    // The button is hidden.
    if (document.activeElement === this.whole) this.rows.element.focus();
    this.update();
  }

  /** Handles a key that was pressed outside of a field. @param {string} key */
  press(key) {
    const line = this.rows.items[this.rows.index()];
    if (key === "/") this.find.field.focus();
    if (key === "z" && line) this.zoom(line.spans);
    if (key === "0") this.zoom();
  }

  /** Shows the lines of the selected span, or of the run if that has none or is preferred. @param {import("./connection.js").Detail | null} detail */
  updateLogs(detail, isOfRun = this.isOfRun) {
    this.isOfRun = isOfRun;
    const span = this.details.span;
    const all = detail?.logs ?? [];
    const own = span ? all.filter((log) => log.span === span.id) : [];
    const isOfSpan = own.length > 0 && !isOfRun;
    const [ofSpan, ofRun] = [`this span (${count(own.length)})`, `this run (${count(all.length)})`];
    setText(this.logTitle, `Logs of ${isOfSpan ? ofSpan : ofRun}`);
    setText(this.logScope, `show ${isOfSpan ? ofRun : ofSpan}`);
    this.logScope.hidden = own.length === 0;
    const shown = (isOfSpan ? own : all).slice(-MAX_LOGS);
    this.noLogs.hidden = shown.length > 0;
    // New lines are added to those that remain: a screen reader reads these only.
    const first = this.shown.indexOf(shown[0]);
    const remain = first < 0 ? [] : this.shown.slice(first);
    const kept = remain.every((log, index) => log === shown[index]) ? remain.length : 0;
    if (kept === this.shown.length && kept === shown.length) return;
    const isAtEnd = this.logs.scrollTop + this.logs.clientHeight >= this.logs.scrollHeight - 4;
    while (this.logs.childElementCount > kept) this.logs.firstElementChild?.remove();
    this.logs.append(...shown.slice(kept).map(logLine));
    this.shown = shown;
    if (isAtEnd) this.logs.scrollTop = this.logs.scrollHeight;
  }
}

/**
 * Returns the first start and the last end of spans.
 * @param {Iterable<Span>} spans
 * @param {number} [from]
 * @param {number} [to]
 * @returns {[number, number]}
 */
function extent(spans, from = Infinity, to = 0) {
  for (const { started, ended = now() } of spans) [from, to] = [Math.min(from, started), Math.max(to, ended)];
  return [from, Math.max(to, from + 1)];
}

/** @param {import("./connection.js").Log} log */
function logLine(log) {
  const [level, name] = severity(log.severity);
  return h("p", { class: level }, h("time", {}, time(log.time)), " ", h("b", {}, name), ` ${log.text}`);
}

/** @param {number} number severity number of OTLP @returns {[string, string]} */
function severity(number) {
  if (number >= 17) return ["error", "ERROR"];
  if (number >= 13) return ["warn", "WARN"];
  if (number >= 9) return ["info", "INFO"];
  return ["debug", number >= 5 ? "DEBUG" : "TRACE"];
}

/** Returns the service and the instance that recorded a span. @param {Span} span @returns {[string, string]} */
function processOf(span) {
  const own = state.info?.resource ?? {};
  return span.process ?? [own["service.name"] ?? "", own["service.instance.id"] ?? ""];
}

/** Returns a short name of a process. The end of an instance id differs, its begin is a time. @param {Span} span @param {boolean} withService */
function processName(span, withService) {
  const [service, instance] = processOf(span);
  return [withService || !instance ? service : "", instance.length > 24 ? `…${instance.slice(-6)}` : instance].filter(Boolean).join(" ");
}

function createLine() {
  return h("div", { class: "line", role: "treeitem" },
    h("span", { class: "label" }, h("span", { class: "arrow", "aria-hidden": "true" }), h("code", {}), h("span", { class: "name" }), h("span", { class: "note" })),
    h("span", { class: "track" }), h("span", { class: "used" }), h("span", { class: "length" }));
}

/** @param {Run} run */
async function cancel(run) {
  if (!window.confirm(`Cancel the run ${run.key}?`)) return;
  try {
    await request("live/cancel", { run: run.key });
  } catch (error) {
    window.alert(`The run was not cancelled: ${error instanceof Error ? error.message : error}`);
  }
}
