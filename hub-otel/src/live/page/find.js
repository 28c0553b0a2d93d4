// Find in a run: the field above the waterfall, and the lines that match.

import { requestTexts } from "./connection.js";
import { h, setText } from "./dom.js";
import { count } from "./format.js";
import { lines } from "./tree.js";

/** @typedef {import("./tree.js").Line} Line */

/** Returns whether a span has a text, which is in lower case. @param {import("./connection.js").Span} span @param {string} query */
function isMatch({ name, state, error, text }, query) {
  return [name, state, error ?? ""].some((fact) => fact.toLowerCase().includes(query)) || Boolean(text?.includes(query));
}

/** The field, the buttons and the number of matches, created once. */
export class Find {
  /** @param {{ change: () => void, move: (isForward: boolean) => void, leave: () => void }} on */
  constructor(on) {
    this.on = on;
    /** @type {Line[]} All lines of the tree, also those below closed ones. */
    this.lines = [];
    /** @type {number[]} Indexes of the lines that match. */
    this.matches = [];
    /** @type {Set<string>} Keys of these lines. */
    this.keys = new Set();
    const label = "Find in this run: name, state, attribute, event or log line";
    this.field = h("input", {
      type: "search", placeholder: "find in this run", "aria-label": label, title: `${label} ( / )`, oninput: on.change,
      onkeydown: (/** @type {KeyboardEvent} */ event) => this.press(event),
    });
    const button = (/** @type {string} */ text, /** @type {string} */ name, /** @type {boolean} */ isForward) =>
      h("button", { class: "quiet", type: "button", "aria-label": name, title: name, onclick: () => on.move(isForward) }, text);
    this.buttons = [button("▲", "Previous match (Shift+Enter)", false), button("▼", "Next match (Enter)", true)];
    this.status = h("span", { role: "status", "aria-live": "polite" });
    this.element = h("div", { role: "search" }, this.field, this.buttons, this.status);
  }

  /** @param {KeyboardEvent} event */
  press(event) {
    if (event.isComposing) return;
    if (event.key === "Enter") {
      this.on.move(!event.shiftKey);
    } else if (event.key === "Escape") {
      this.field.value = "";
      this.on.change();
      this.on.leave();
    }
  }

  /** Finds the lines that match. @param {import("./connection.js").Detail} detail @param {string | null} selected */
  update(detail, selected) {
    const query = this.field.value.trim().toLowerCase();
    if (query) requestTexts();
    const logged = new Set(detail.logs.filter((log) => query && log.text.toLowerCase().includes(query)).map((log) => log.span));
    this.lines = query ? lines(detail.spans.values(), () => true) : [];
    this.matches = [...this.lines.keys()].filter((index) => {
      const { spans } = this.lines[index];
      return spans.length === 1 && (logged.has(spans[0].id) || isMatch(spans[0], query));
    });
    const keys = this.matches.map((index) => this.lines[index].key);
    this.keys = new Set(keys);
    const place = keys.indexOf(selected ?? "") + 1;
    for (const button of this.buttons) button.hidden = !keys.length;
    setText(this.status, query && (place ? `${count(place)} of ${count(keys.length)}` : `${count(keys.length)} found`));
  }

  /** Returns the next or the previous match after the lines that contain it. @param {boolean} isForward @param {string | null} selected */
  path(isForward, selected) {
    const at = this.lines.findIndex((line) => line.key === selected);
    const target = isForward
      ? this.matches.find((index) => index > at) ?? this.matches[0]
      : this.matches.findLast((index) => index < at) ?? this.matches.at(-1);
    if (target === undefined) return [];
    const path = [this.lines[target]];
    for (let index = target - 1; path[0].depth > 0; index--) {
      if (this.lines[index].depth < path[0].depth) path.unshift(this.lines[index]);
    }
    return path;
  }
}
