// The attributes, events and messages of one span, read from its OTLP JSON.

import { request, state } from "./connection.js";
import { badge, copyButton, fill, h } from "./dom.js";
import { count, duration, money, time } from "./format.js";

/**
 * @typedef {import("./connection.js").Span} Span
 * @typedef {{ key: string, value?: any }} Attribute
 * @typedef {{ name: string, timeUnixNano: string, attributes?: Attribute[] }} SpanEvent
 */

/** Keys of messages to and from a model. Recorded only with the consent of the application. */
const MESSAGES = new Set(["gen_ai.system_instructions", "gen_ai.input.messages", "gen_ai.output.messages"]);
/** Time between two requests for a span in progress. */
const REFRESH_MS = 1000;

/** Returns an OTLP value as a value of JavaScript. @param {any} value @returns {unknown} */
function plain(value) {
  if (!value) return "";
  if ("arrayValue" in value) return (value.arrayValue.values ?? []).map(plain);
  if ("kvlistValue" in value) {
    const entries = value.kvlistValue.values ?? [];
    return Object.fromEntries(entries.map((/** @type {Attribute} */ entry) => [entry.key, plain(entry.value)]));
  }
  return Object.values(value)[0];
}

const text = (/** @type {unknown} */ value) => (typeof value === "object" ? JSON.stringify(value) : String(value));

/** @param {Attribute[]} attributes */
function table(attributes) {
  const sorted = [...attributes].sort((left, right) => left.key.localeCompare(right.key));
  return h("dl", {}, sorted.flatMap(({ key, value }) => [h("dt", {}, key), h("dd", {}, text(plain(value)))]));
}

/** Returns the facts of a call of a model: usage, cost, time to the first chunk, reason of the end. @param {Attribute[]} attributes */
function call(attributes) {
  const all = new Map(attributes.map(({ key, value }) => [key, plain(value)]));
  const number = (/** @type {string} */ key) => Number(all.get(`gen_ai.${key}`) ?? NaN);
  const tokens = (/** @type {string} */ key, /** @type {string} */ name) => (number(key) > 0 ? `${count(number(key))} ${name}` : "");
  const used = [tokens("usage.input_tokens", "in"), tokens("usage.cache_read.input_tokens", "cached"), tokens("usage.output_tokens", "out"), tokens("usage.reasoning.output_tokens", "reasoning")];
  /** @type {[string, string][]} */
  const facts = [
    ["tokens", used.filter(Boolean).join(" · ")],
    ["cost", number("usage.cost") > 0 ? money(number("usage.cost")) : ""],
    ["first chunk", number("response.time_to_first_chunk") > 0 ? duration(number("response.time_to_first_chunk") * 1e6) : ""],
    ["finish", [all.get("gen_ai.response.finish_reasons") ?? []].flat().join(", ")],
  ];
  return h("p", { class: "facts call" }, facts.map(([name, value]) => value && h("span", { class: "fact" }, `${name} `, h("b", {}, value))));
}

/** @param {Attribute} attribute */
function messages({ key, value }) {
  const raw = plain(value);
  let list = raw;
  try {
    list = typeof raw === "string" ? JSON.parse(raw) : raw;
  } catch {
    // Not JSON: shown as it is.
  }
  const items = Array.isArray(list) ? list : [list];
  return h("div", { class: "messages" }, h("h4", {}, key), items.map((item) => {
    const message = typeof item === "object" && item ? item : { content: item };
    const parts = Array.isArray(message.parts) ? message.parts : [message];
    const content = parts.map((/** @type {any} */ part) => part?.content ?? part?.text ?? text(part)).map(text).join("\n");
    return h("div", { class: "message" }, h("b", {}, String(message.role ?? message.type ?? "text")), h("pre", {}, content));
  }));
}

/** @param {SpanEvent} event */
function eventItem(event) {
  const attributes = event.attributes ?? [];
  const find = (/** @type {string} */ key) => {
    const found = attributes.find((attribute) => attribute.key === key);
    return found && text(plain(found.value));
  };
  const at = time(Number(BigInt(event.timeUnixNano) / 1000n));
  if (event.name !== "exception") {
    return h("li", {}, h("time", {}, at), " ", h("b", {}, event.name), table(attributes));
  }
  const shown = new Set(["exception.type", "exception.message", "exception.stacktrace"]);
  const stack = find("exception.stacktrace");
  return h("li", { class: "exception" },
    h("b", {}, `✕ ${find("exception.type") ?? "exception"}`), " ", h("time", {}, at),
    h("pre", {}, find("exception.message") ?? ""),
    stack && h("details", {}, h("summary", {}, "stack"), h("pre", {}, stack)),
    table(attributes.filter((attribute) => !shown.has(attribute.key))));
}

/** @param {SpanEvent[]} events */
function list(events) {
  return events.length > 0 && h("ul", { class: "events" }, events.map(eventItem));
}

/** Returns the spans of the run that a span links to, and those that link to it. @param {Span} span */
function links(span) {
  const all = [...(state.detail?.spans.values() ?? [])];
  const entries = (/** @type {string} */ name, /** @type {Span[]} */ spans) =>
    spans.flatMap((other) => [h("dt", {}, name), h("dd", {}, `${other.name} (${other.id})`)]);
  return [...entries("→ links to", all.filter(({ id }) => span.links?.includes(id))), ...entries("← linked from", all.filter((other) => other.links?.includes(span.id)))];
}

/** The panel of the selected span. */
export class Details {
  /** @param {(span: Span) => void} zoom */
  constructor(zoom) {
    this.zoom = zoom;
    /** @type {Span | null} */
    this.span = null;
    this.requested = 0;
    this.version = "";
    this.element = h("section", { class: "details", tabindex: 0, "aria-label": "Selected span" });
    this.show(null);
  }

  /** @param {Span | null} span */
  show(span) {
    this.span = span;
    this.requested = 0;
    this.version = "";
    if (span) this.refresh();
    else fill(this.element, h("h3", {}, "Span"), h("p", { class: "muted" }, "Select a span above: attributes, events and exceptions are shown here."));
  }

  /** Requests the span again while it is in progress, and once after its end. */
  async refresh() {
    const span = this.span;
    if (!span) return;
    const now = Date.now();
    if (this.version === "ended" || now - this.requested < REFRESH_MS) return;
    this.requested = now;
    let json;
    try {
      json = await request(`live/span?trace=${span.trace}&span=${span.id}`);
    } catch (error) {
      if (this.span === span && !this.version) {
        fill(this.element, h("h3", {}, span.name), h("p", { class: "muted" }, `Not available: ${error instanceof Error ? error.message : error}`));
      }
      return;
    }
    if (this.span !== span) return;
    const isEnded = Number(json.endTimeUnixNano ?? 0) > 0;
    const version = isEnded ? "ended" : JSON.stringify(json);
    if (version === this.version) return;
    this.version = version;
    this.render(span, json);
  }

  /** @param {Span} span @param {any} json */
  render(span, json) {
    /** @type {Attribute[]} */
    const own = json.attributes ?? [];
    // Content that was captured as events only.
    const attributes = own.concat((json.content ?? []).flat().filter((/** @type {Attribute} */ { key }) => own.every((it) => it.key !== key)));
    /** @type {SpanEvent[]} */
    const events = json.events ?? [];
    const [start, end] = [BigInt(json.startTimeUnixNano), BigInt(json.endTimeUnixNano ?? 0)];
    const status = json.status?.message;
    const top = this.element.scrollTop;
    const exceptions = events.filter((event) => event.name === "exception");
    const fact = (/** @type {import("./dom.js").Child} */ value) => h("span", {}, value);
    fill(
      this.element,
      h("div", { class: "span-head" }, h("h3", {}, h("code", {}, span.kind), " ", span.name),
        h("span", { class: "tools" },
          h("button", { class: "quiet", type: "button", title: "Show the time of this span on the whole axis ( z )", onclick: () => this.zoom(span) }, "zoom to this span"),
          copyButton("copy as JSON", () => JSON.stringify(json, null, 2)))),
      h("p", { class: "facts" },
        badge(end ? (span.state === "running" ? "success" : span.state) : "running"),
        end > 0n && fact(duration(Number(end - start) / 1000)), fact(time(Number(start / 1000n))), fact(h("code", {}, json.name))),
      span.kind === "llm" && call(attributes),
      // The exception has the same text and its causes.
      status && !exceptions.length && h("p", { class: "status" }, status),
      list(exceptions),
      attributes.filter(({ key }) => MESSAGES.has(key)).map(messages),
      table(attributes.filter(({ key }) => !MESSAGES.has(key))),
      list(events.filter((event) => event.name !== "exception")),
      h("dl", { class: "ids" }, h("dt", {}, "trace id"), h("dd", {}, span.trace), h("dt", {}, "span id"), h("dd", {}, span.id), links(span)),
      json.resource?.attributes && [h("h4", {}, "recorded by another process"), table(json.resource.attributes)],
    );
    this.element.scrollTop = top;
  }
}
