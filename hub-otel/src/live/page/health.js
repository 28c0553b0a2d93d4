// The health of the process: metrics, delivery, Collector.

import { request } from "./connection.js";
import { chart } from "./chart.js";
import { empty, fill, h, setText } from "./dom.js";
import { bytes, count, duration, measure, plural } from "./format.js";

/** Time between two requests while the view is open. */
const REFRESH_MS = 3000;

/**
 * @typedef {{ metric: string, title: string, unit: string, points: (number | null)[] | null }} Chart
 * @typedef {{ signal: string, exporter: string, finished: number, ok: number, rejected: number, pending: number,
 *   failed: Record<string, number>, dropped: Record<string, number> }} Delivery
 */

/** @param {Chart} data @param {number} samples */
function figure(data, samples) {
  const points = data.points ?? [];
  const known = points.filter((point) => point !== null);
  const last = known.at(-1);
  const value = last === undefined ? "no value yet" : measure(last, data.unit);
  const label = `${data.title}: ${value}, highest ${known.length ? measure(Math.max(...known), data.unit) : "none"}`;
  return h("figure", { class: "chart-card" }, h("figcaption", {}, data.title, h("b", { class: last === undefined ? "muted" : "" }, value)), chart(points, samples, label));
}

/** @param {Record<string, number>} reasons */
function reasons(reasons) {
  const entries = Object.entries(reasons).filter(([, value]) => value > 0);
  return entries.length ? entries.map(([name, value]) => `${count(value)} ${name}`).join(", ") : "0";
}

/** @param {Delivery[]} delivery */
function deliveryTable(delivery) {
  const cell = (/** @type {string} */ value) => h("td", { class: value === "0" ? "muted" : "" }, value);
  return h("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": "Delivery" }, h("table", {},
    h("caption", {}, "Delivery: finished = ok + rejected + failed + dropped + pending"),
    h("thead", {}, h("tr", {}, ["signal", "finished", "ok", "rejected", "failed", "dropped", "pending"].map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", {}, delivery.map((row) => h("tr", {},
      h("th", { scope: "row" }, row.exporter ? `${row.signal}, ${row.exporter}` : row.signal),
      [count(row.finished), count(row.ok), count(row.rejected)].map(cell),
      [reasons(row.failed), reasons(row.dropped), count(row.pending)].map(cell)))),
  ));
}

/** @param {string} title @param {string} none @param {[string, string][]} entries */
function ranking(title, none, entries) {
  return h("section", { class: "ranking" }, h("h3", {}, title), entries.length
    ? h("dl", {}, entries.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]))
    : h("p", { class: "muted" }, none));
}

/** @param {any} health */
function collectors(health) {
  if (!health.collectors.length) return h("p", {}, "No signal is exported by OTLP: OTEL_TRACES_EXPORTER=otlp exports the traces.");
  return health.collectors.map((/** @type {any} */ it) => {
    const isBroken = !it.reached;
    const cause = it.error ? ` (${it.error})` : "";
    const broken = `✕ ${it.endpoint} is not reachable${cause}; items are kept up to a limit`;
    return h("p", { class: isBroken ? "error" : "ok" }, isBroken ? broken : `✓ ${it.endpoint} was reached`);
  });
}

/** A failed workflow counts once more for each of its failed agents. @param {{ agents: number, workflows: number }} of */
function errors({ agents, workflows }) {
  return [agents > 0 && plural(agents, "agent"), workflows > 0 && plural(workflows, "workflow")].filter(Boolean).join(" · ");
}

/** The view of the health. */
export class HealthView {
  constructor() {
    this.requested = 0;
    this.title = h("h2", {}, "Health");
    this.body = h("div", {}, empty("Loading"));
    this.element = h("section", { class: "panel page", "aria-label": "Health" }, h("div", { class: "page-head" }, this.title), this.body);
  }

  async update() {
    if (Date.now() - this.requested < REFRESH_MS) return;
    this.requested = Date.now();
    let health;
    try {
      health = await request("live/health");
    } catch (error) {
      fill(this.body, empty("Not available", h("p", {}, error instanceof Error ? error.message : String(error))));
      return;
    }
    const { history, store, clients } = health;
    // A young process: its few samples have the whole width.
    const samples = Math.min(history.samples, Math.max(24, ...history.charts.map((/** @type {Chart} */ data) => data.points?.length ?? 0)));
    setText(this.title, `Health, last ${duration(samples * history.step * 1e6)}`);
    fill(
      this.body,
      h("div", { class: "charts" }, history.charts.map((/** @type {Chart} */ data) => figure(data, samples))),
      h("div", { class: "columns" },
        ranking("Errors by type", "No error since the start.", history.errors.map((/** @type {any} */ it) => [it.type, errors(it)])),
        ranking("Slowest agents, p95", "No agent has ended yet.", history.slowest.map((/** @type {any} */ it) => [`${it.agent} (${count(it.count)})`, duration(it.p95 * 1000)])),
      ),
      h("section", { class: "ranking" }, h("h3", {}, "Collector"), collectors(health)),
      health.delivery.length > 0 && deliveryTable(health.delivery),
      h("p", { class: "muted" }, `Live view: ${bytes(store.bytes)} of ${bytes(store.limit)}, ${count(clients)} of 32 pages open, ${count(store.dropped.evictedTraces)} finished traces removed, ${count(store.dropped.openSpans)} open spans beyond the limit, ${count(store.dropped.noSpace + store.feed)} items without space.`),
    );
  }
}
