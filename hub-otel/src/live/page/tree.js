// The tree of the spans of a run, as lines.

import { count, plural } from "./format.js";

/**
 * @typedef {import("./connection.js").Span} Span
 * @typedef {{ key: string, depth: number, kind: string, name: string, note: string,
 *   spans: Span[], children: number, open: boolean }} Line
 */

/** Kinds that are collapsed under the unit that made them. */
const LEAVES = new Set(["db", "http", "span"]);
/** @type {Record<string, string>} */
const NOUNS = { db: "statement", http: "request", span: "span" };

export const isFailed = (/** @type {Span} */ span) => span.state === "failed" || span.state === "timed out";

/**
 * Returns the lines of the tree. Leaves of one kind share a line that is opened to show each.
 * @param {Iterable<Span>} all
 * @param {(key: string, isGroup: boolean) => boolean} isOpen
 */
export function lines(all, isOpen) {
  const spans = [...all].sort((left, right) => left.started - right.started);
  const known = new Set(spans.map((span) => span.id));
  const children = Map.groupBy(spans, ({ parent }) => (parent && known.has(parent) ? parent : ""));
  const isLeaf = (/** @type {Span} */ span) => LEAVES.has(span.kind) && !children.has(span.id);
  /** @type {Line[]} */
  const result = [];
  // A stack instead of a recursion: a chain of spans may be deep.
  /** @type {(Line & { below: Span[] })[]} */
  const stack = [];
  const push = (/** @type {Span[]} */ siblings, /** @type {number} */ depth, withGroups = true) => {
    const names = Map.groupBy(siblings, (span) => span.name);
    const groups = Map.groupBy(siblings, (span) => (withGroups && isLeaf(span) ? span.kind : span.id));
    for (const own of [...groups.values()].reverse()) {
      const [{ id, kind, parent, name, execution = "" }] = own;
      const isGroup = own.length > 1;
      const key = isGroup ? `${kind} of ${parent ?? ""} ${id}` : id;
      const below = isGroup ? own : children.get(id) ?? [];
      const open = below.length > 0 && isOpen(key, isGroup);
      const failed = isGroup ? own.filter(isFailed).length : 0;
      const isTwin = (names.get(name)?.length ?? 0) > 1;
      const note = [failed > 0 && `${count(failed)} failed`, isGroup && !open && "collapsed", isTwin && execution].filter(Boolean).join(", ");
      stack.push({ key, depth, kind, name: isGroup ? plural(own.length, NOUNS[kind]) : name, note, spans: own, children: below.length, open, below });
    }
  };
  push(children.get("") ?? [], 0);
  for (let line = stack.pop(); line; line = stack.pop()) {
    result.push(line);
    if (line.open) push(line.below, line.depth + 1, line.spans.length === 1);
  }
  return result;
}
