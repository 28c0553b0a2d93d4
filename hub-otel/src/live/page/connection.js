// The connection to the process: a stream of changes, and requests.

/**
 * @typedef {{ key: string, isAgent: boolean, id: string, name: string, trigger: string,
 *   state: string, reason?: string, error?: string, started: number, ended?: number,
 *   segments: number, agents: string[], agentsStarted: number, agentsEnded: number,
 *   retries: number, errors: number, inputTokens: number, outputTokens: number, cost: number,
 *   trace: string }} Run
 * @typedef {{ id: string, trace: string, parent?: string, kind: string, name: string,
 *   state: string, error?: string, started: number, ended?: number, run?: string,
 *   inputTokens?: number, outputTokens?: number, cost?: number, links?: string[],
 *   process?: [string, string], execution?: string, text?: string }} Span
 * @typedef {{ version: number, time: number, severity: number, text: string, target: string, span: string }} Log
 * @typedef {{ span: string, run: string, name: string, back: boolean }} Linked
 * @typedef {{ id: string, run: string | null, since: number, workflow?: string,
 *   subject?: string, input?: string }} Approval
 * @typedef {{ run: string, missing: boolean, spans: Map<string, Span>, logs: Log[],
 *   dropped: number, linked: Linked[] }} Detail
 * @typedef {{ service: string, version: string, traceUrl: string | null, hint: string | null,
 *   canDecide: boolean, canCancel: boolean, resource: Record<string, string> }} Info
 * @typedef {"live" | "lost" | "denied"} Link
 */

/** Interval of the health and of the application's list of approvals. */
const REFRESH_MS = 3000;
/** Time after which a hidden page is disconnected: a browser has six connections to a host, for all pages. */
const HIDDEN_MS = 30_000;

/** What the page has of the process. */
export const state = {
  runs: /** @type {Map<string, Run>} */ (new Map()),
  totals: /** @type {Record<string, number>} */ ({}),
  /** Approvals that wait in the process. */
  waits: /** @type {Approval[]} */ ([]),
  /** Approvals that the application stores. */
  stored: /** @type {Approval[]} */ ([]),
  detail: /** @type {Detail | null} */ (null),
  info: /** @type {Info | null} */ (null),
  /** Metrics, delivery and Collectors. */
  health: /** @type {any} */ (null),
  link: /** @type {Link} */ ("lost"),
  bytes: 0,
  limit: 1,
  dropped: /** @type {Record<string, number>} */ ({}),
  /** Difference between the clock of the process and the browser's, in microseconds. */
  skew: 0,
};

let listener = () => {};
let scheduled = false;
/** @type {EventSource | null} */
let source = null;
let position = "";
let hiding = 0;
/** @type {string | null} */
let selected = null;
/** Whether the spans of the selected run are received with their texts. */
let hasTexts = false;

/** Sets the function that is called after changes, at most once per frame. @param {() => void} update */
export function onChange(update) {
  listener = update;
}

/** Schedules the listener. */
export function changed() {
  if (scheduled) return;
  scheduled = true;
  setTimeout(() => {
    scheduled = false;
    listener();
  }, 16);
}

/** Returns the time of the process in microseconds. */
export function now() {
  return Date.now() * 1000 + state.skew;
}

/** Returns the approvals that wait, the oldest first. */
export function approvals() {
  const stored = new Set(state.stored.map((approval) => approval.id));
  const waits = state.waits.filter((approval) => !stored.has(approval.id));
  return [...state.stored, ...waits].sort((left, right) => left.since - right.since);
}

/** Sends a request. An error has the text of the process. @param {string} path @param {unknown} [body] @returns {Promise<any>} */
export async function request(path, body) {
  const options = body === undefined
    ? {}
    : { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  const response = await fetch(path, options);
  const value = await response.json().catch(() => ({}));
  if (response.status === 401) setLink("denied");
  if (!response.ok) throw new Error(value.error ?? `status ${response.status}`);
  return value;
}

/** @param {Link} link */
function setLink(link) {
  state.link = link;
  changed();
}

/** Selects the run whose spans are received. @param {string | null} key */
export function select(key) {
  if (key === selected && source) return;
  selected = key;
  hasTexts = false;
  state.detail = key === null ? null : { run: key, missing: false, spans: new Map(), logs: [], dropped: 0, linked: [] };
  restart();
}

/** Receives the texts of the spans of the selected run too: a search needs them, and they are large. */
export function requestTexts() {
  if (hasTexts) return;
  hasTexts = true;
  restart();
}

/** Opens the stream again. The runs are kept; the spans of the selected run begin at zero. */
function restart() {
  position = position.replace(/\.[0-9]+$/, ".0");
  connect();
}

/** Opens the stream. The browser reconnects by itself after a lost connection. */
function connect() {
  source?.close();
  const query = new URLSearchParams();
  if (position) query.set("after", position);
  if (selected !== null) query.set("run", selected);
  if (hasTexts) query.set("texts", "1");
  const opened = new EventSource(`live/events?${query}`);
  source = opened;
  opened.onmessage = (event) => {
    if (source === opened) apply(JSON.parse(event.data));
  };
  opened.onerror = () => {
    if (source !== opened) return;
    if (state.link !== "denied") setLink("lost");
    // Closed for good after an error status: tried again by the page.
    if (opened.readyState === EventSource.CLOSED) setTimeout(retry, 1000, opened);
  };
}

/** @param {EventSource} closed */
async function retry(closed) {
  if (source !== closed) return;
  await loadInfo();
  if (source === closed) connect();
}

async function loadInfo() {
  try {
    state.info = await request("live/info");
    changed();
  } catch {
    // The message of the state is enough.
  }
}

/** @param {any} message */
function apply(message) {
  if (message.reset) {
    state.runs.clear();
    if (state.detail) Object.assign(state.detail, { spans: new Map(), logs: [], linked: [] });
    loadInfo();
  }
  state.link = "live";
  position = message.id;
  state.skew = message.now - Date.now() * 1000;
  for (const run of message.runs) state.runs.set(run.key, run);
  for (const key of message.removed) state.runs.delete(key);
  state.totals = message.totals;
  state.waits = message.approvals;
  ({ bytes: state.bytes, limit: state.limit, dropped: state.dropped } = message);
  const detail = state.detail;
  if (message.detail && detail && (message.detail.missing || message.detail.run === detail.run)) {
    detail.missing = message.detail.missing;
    for (const span of message.detail.spans) detail.spans.set(span.id, span);
    const known = new Set(detail.logs.map((log) => log.version));
    detail.logs.push(...message.detail.logs.filter((/** @type {Log} */ log) => !known.has(log.version)));
    if (message.detail.logs.length) detail.logs.sort((left, right) => left.time - right.time);
    detail.dropped = message.detail.dropped;
    detail.linked = message.detail.linked;
  }
  changed();
}

/** Requests the health, and the approvals that the application stores. */
export async function refresh() {
  try {
    state.health = await request("live/health");
    state.stored = (await request("live/approvals")).approvals;
  } catch {
    // The next request may succeed.
  }
  changed();
}

/** Disconnects a hidden page. The position of a visible one continues: it misses nothing. */
function followVisibility() {
  clearTimeout(hiding);
  if (!document.hidden && !source) connect();
  if (document.hidden) {
    hiding = setTimeout(() => {
      source?.close();
      source = null;
    }, HIDDEN_MS);
  }
}

/** Starts the connection. */
export function start() {
  loadInfo();
  refresh();
  setInterval(() => document.hidden || refresh(), REFRESH_MS);
  document.addEventListener("visibilitychange", followVisibility);
  if (document.hidden) followVisibility();
}
