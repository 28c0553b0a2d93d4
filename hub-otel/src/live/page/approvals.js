// Approvals that wait, and their decisions.

import { approvals, changed, now, refresh, request, state } from "./connection.js";
import { empty, h, refill, setText } from "./dom.js";
import { duration } from "./format.js";

/** @typedef {import("./connection.js").Approval} Approval */

/** Decisions that were sent: no second one is possible meanwhile. @type {Set<string>} */
const sent = new Set();
/** Errors by approval. @type {Map<string, string>} */
const errors = new Map();
const NAME = "hub-otel-live-name";

/** @param {Approval} approval @param {boolean} approved */
async function decide(approval, approved) {
  sent.add(approval.id);
  errors.delete(approval.id);
  changed();
  try {
    await request("live/approvals", { id: approval.id, approved, by: localStorage.getItem(NAME) ?? "" });
    state.stored = state.stored.filter(({ id }) => id !== approval.id);
  } catch (error) {
    errors.set(approval.id, error instanceof Error ? error.message : String(error));
  }
  sent.delete(approval.id);
  await refresh();
}

/** @param {Approval} approval */
function buttons(approval) {
  if (!state.info?.canDecide) return h("span", { class: "muted" }, "decided elsewhere");
  const label = subject(approval);
  const button = (/** @type {string} */ text, /** @type {boolean} */ approved, /** @type {string} */ style) =>
    h("button", { class: style, type: "button", disabled: sent.has(approval.id), "aria-label": `${text} ${label}`, onclick: () => decide(approval, approved) }, text);
  return h("span", { class: "decide" }, button("Approve", true, "approve"), button("Reject", false, "reject"));
}

const subject = (/** @type {Approval} */ approval) => approval.subject || approval.workflow || approval.id;

/** Formats JSON with indentation. @param {string} input */
function pretty(input) {
  try {
    return JSON.stringify(JSON.parse(input), null, 2);
  } catch {
    return input;
  }
}

/** The bars that exist, so that a change elsewhere does not replace a focused button. @type {Map<string, HTMLElement>} */
const bars = new Map();

/** Returns the bar of each approval that a run waits for. @param {string} run */
export function decisionBar(run) {
  return approvals().filter((approval) => approval.run === run).map((approval) => {
    const version = JSON.stringify([approval, sent.has(approval.id), errors.get(approval.id), state.info?.canDecide]);
    const bar = bars.get(approval.id) ?? h("div", { class: "wait" });
    bars.set(approval.id, bar);
    const error = errors.get(approval.id);
    refill(bar, version, () => [
      h("span", { "aria-hidden": "true" }, "◆"),
      h("span", { class: "what" }, h("b", {}, subject(approval)), " waits for an approval ", h("span", { class: "muted since" })),
      error && h("span", { class: "error", role: "alert" }, error),
      buttons(approval),
      approval.input && h("details", {}, h("summary", {}, "input"), h("pre", {}, pretty(approval.input))),
    ]);
    const since = bar.querySelector(".since");
    if (since) setText(since, `for ${duration(now() - approval.since)}`);
    return bar;
  });
}

/** The view of all approvals. */
export class ApprovalView {
  constructor() {
    this.name = h("input", { id: "name", autocomplete: "name", maxlength: 200, placeholder: "live view" });
    this.name.value = localStorage.getItem(NAME) ?? "";
    this.name.addEventListener("change", () => localStorage.setItem(NAME, this.name.value));
    this.list = h("div", {});
    this.element = h("section", { class: "panel page", "aria-label": "Approvals" },
      h("div", { class: "page-head" }, h("h2", {}, "Approvals that wait"), h("label", { for: "name" }, "decide as ", this.name)),
      this.list,
    );
  }

  update() {
    const waiting = approvals();
    const shown = JSON.stringify([waiting, [...sent], [...errors], state.info?.canDecide, state.runs.size]);
    refill(this.list, shown, () => waiting.length
      ? waiting.map(card)
      : [empty("No approval waits", h("p", {}, "A run that calls hub_otel::approval::wait, or that the application stored as waiting, is listed here with its input."))]);
    for (const element of this.list.querySelectorAll("[data-since]")) {
      if (element instanceof HTMLElement) setText(element, `waits for ${duration(now() - Number(element.dataset.since))}`);
    }
  }
}

/** @param {Approval} approval */
function card(approval) {
  const run = approval.run ? state.runs.get(approval.run) : undefined;
  const error = errors.get(approval.id);
  return h("article", { class: "card" },
    h("div", { class: "card-head" }, h("h3", {}, h("span", { class: "amber", "aria-hidden": "true" }, "◆ "), subject(approval)), h("span", { class: "muted", "data-since": approval.since }), buttons(approval)),
    h("p", { class: "facts" }, h("span", {}, approval.workflow || run?.name || ""), approval.run && [h("a", { href: `#/runs/${encodeURIComponent(approval.run)}` }, `run ${approval.run}`)]),
    error && h("p", { class: "error", role: "alert" }, error),
    approval.input && h("pre", { tabindex: 0 }, pretty(approval.input)),
  );
}
