// The health of the process: metrics, delivery, Collector.

import { state } from "./connection.js";
import { chart } from "./chart.js";
import { empty, h, refill, setText } from "./dom.js";
import { bytes, count, duration, measure, plural } from "./format.js";

/**
 * @typedef {{ metric: string, title: string, unit: string, points: (number | null)[] | null }} Chart
 * @typedef {{ signal: string, exporter: string, finished: number, ok: number, rejected: number, pending: number,
 *   failed: Record<string, number>, dropped: Record<string, number> }} Delivery
 */

/** @param {Chart} data @param {number} samples */
function figure(data, samples) {
  const points = data.points ?? [];
  const known = points.filter((point) => point !== null);
  const [last, highest] = [known.at(-1) ?? 0, Math.max(...known)].map((value) => measure(value, data.unit));
  // Nothing was measured since the last sample: the value before is not the current one.
  const isOld = (points.at(-1) ?? null) === null;
  const value = known.length ? (isOld ? `last ${last}` : last) : "no value yet";
  const max = known.length ? `max ${highest}` : "";
  return h("figure", { class: "chart-card" },
    h("figcaption", {}, data.title, h("b", { class: isOld ? "muted" : "" }, value), h("small", {}, max)), chart(points, samples, `${data.title}: ${value} ${max}`));
}

/** @param {Record<string, number>} reasons */
function reasons(reasons) {
  const entries = Object.entries(reasons).filter(([, value]) => value > 0);
  return entries.length ? entries.map(([name, value]) => `${count(value)} ${name}`).join(", ") : "0";
}

/** @param {Delivery[]} delivery */
function deliveryTable(delivery) {
  const cell = (/** @type {string} */ value) => h("td", { class: value === "0" ? "muted" : "" }, value);
  return h("table", {},
    h("caption", {}, "Delivery: finished = ok + rejected + failed + dropped + pending"),
    h("thead", {}, h("tr", {}, ["signal", "finished", "ok", "rejected", "failed", "dropped", "pending"].map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", {}, delivery.map((row) => h("tr", {},
      h("th", { scope: "row" }, row.exporter ? `${row.signal}, ${row.exporter}` : row.signal),
      [count(row.finished), count(row.ok), count(row.rejected)].map(cell),
      [reasons(row.failed), reasons(row.dropped), count(row.pending)].map(cell)))),
  );
}

/** @param {string} title @param {string} none @param {[string, string][]} entries */
function ranking(title, none, entries) {
  return h("section", { class: "ranking" }, h("h3", {}, title), entries.length
    ? h("dl", {}, entries.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]))
    : h("p", { class: "muted" }, none));
}

/** Returns whether the Collectors respond, in a few words. */
export function collector() {
  /** @type {{ responding: boolean, error: string }[]} */
  const all = state.health?.collectors ?? [];
  const spans = state.health?.delivery.find((/** @type {Delivery} */ it) => it.signal === "traces");
  if (all.some((it) => it.error)) return `Collector: not reachable, ${plural(spans?.pending ?? 0, "span")} kept`;
  return all.some((it) => it.responding) ? "Collector: reachable" : "";
}

/** @param {{ endpoint: string, responding: boolean, error: string }[]} collectors */
function endpoints(collectors) {
  if (!collectors.length) return [h("p", {}, "No signal is exported by OTLP: OTEL_TRACES_EXPORTER=otlp exports the traces.")];
  return collectors.map(({ endpoint, responding, error }) => {
    if (error) return h("p", { class: "error" }, `✕ ${endpoint} is not reachable (${error}); items are kept up to a limit`);
    return responding ? h("p", { class: "ok" }, `✓ ${endpoint} responded to the last request`) : h("p", {}, `${endpoint}: no request yet`);
  });
}

/** A failed workflow counts once more for each of its failed agents. @param {{ agents: number, workflows: number }} of */
function errors({ agents, workflows }) {
  return [agents > 0 && plural(agents, "agent"), workflows > 0 && plural(workflows, "workflow")].filter(Boolean).join(" · ");
}

/** The view of the health. Each section is replaced after a change of its own only: the others keep focus and selection. */
export class HealthView {
  constructor() {
    this.title = h("h2", {}, "Health");
    this.charts = h("div", { class: "charts" }, empty("Loading"));
    this.rankings = h("div", { class: "columns" });
    this.collectors = h("section", { class: "ranking" });
    this.delivery = h("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": "Delivery" });
    this.store = h("p", { class: "muted" });
    this.element = h("section", { class: "panel page", "aria-label": "Health" },
      h("div", { class: "page-head" }, this.title),
      h("div", {}, this.charts, this.rankings, this.collectors, this.delivery, this.store));
  }

  update() {
    if (!state.health) return;
    const { history, store, clients, delivery, collectors } = state.health;
    // A young process: its few samples have the whole width.
    const samples = Math.min(history.samples, Math.max(24, ...history.charts.map((/** @type {Chart} */ data) => data.points?.length ?? 0)));
    setText(this.title, `Health, last ${duration(samples * history.step * 1e6)}`);
    refill(this.charts, JSON.stringify(history.charts), () => history.charts.map((/** @type {Chart} */ data) => figure(data, samples)));
    refill(this.rankings, JSON.stringify([history.errors, history.slowest]), () => [
      ranking("Errors by type", "No error since the start.", history.errors.map((/** @type {any} */ it) => [it.type, errors(it)])),
      ranking("Slowest agents, p95", "No agent has ended yet.", history.slowest.map((/** @type {any} */ it) => [`${it.agent} (${count(it.count)})`, duration(it.p95 * 1000)])),
    ]);
    refill(this.collectors, JSON.stringify(collectors), () => [h("h3", {}, "Collector"), ...endpoints(collectors)]);
    this.delivery.hidden = !delivery.length;
    refill(this.delivery, JSON.stringify(delivery), () => [deliveryTable(delivery)]);
    setText(this.store, `Live view: ${bytes(store.bytes)} of ${bytes(store.limit)}, ${count(clients)} of 32 pages open, ${count(store.dropped.evictedTraces)} finished traces removed, ${count(store.dropped.openSpans)} open spans beyond the limit, ${count(store.dropped.noSpace + store.feed)} items without space.`);
  }
}
