// A list of rows of equal height, of which only the visible ones are elements.

import { h } from "./dom.js";

/** Rows above and below the visible ones. */
const MARGIN = 8;

/**
 * @template T
 * @typedef {object} Options
 * @property {number} height height of a row in pixels
 * @property {string} role role of the list: `listbox` or `tree`
 * @property {string} label name of the list for screen readers
 * @property {(item: T) => string} key
 * @property {() => HTMLElement} create creates the element of a row
 * @property {(element: HTMLElement, item: T) => void} update shows an item in an element
 * @property {(item: T) => void} select called for a click and for the keyboard
 * @property {(item: T, open?: boolean) => void} [toggle] opens or closes a row of a tree
 */

/** Returns whether the arrow of a row that can be opened was clicked. @param {MouseEvent} event */
export const isArrow = (event) => event.target instanceof Element && event.target.matches(".arrow:not(:empty)");

/** @template T */
export class Rows {
  /** @param {Options<T>} options */
  constructor(options) {
    this.options = options;
    /** @type {T[]} */
    this.items = [];
    /** @type {string | null} */
    this.selected = null;
    this.space = h("div", { class: "space", role: "presentation" });
    this.element = h("div", {
      class: "rows", tabindex: 0, role: options.role, "aria-label": options.label,
      onscroll: () => this.render(),
      onkeydown: (/** @type {KeyboardEvent} */ event) => this.press(event),
      onclick: (/** @type {MouseEvent} */ event) => this.click(event),
    }, this.space);
    new ResizeObserver(() => this.render()).observe(this.element);
    this.prefix = `row-${Math.random().toString(36).slice(2, 8)}`;
  }

  /** Shows `items`. @param {T[]} items */
  set(items) {
    this.items = items;
    this.space.style.height = `${items.length * this.options.height}px`;
    this.render();
  }

  /** Shows the rows that are visible now. Elements are used again. */
  render() {
    const { height } = this.options;
    const first = Math.max(0, Math.floor(this.element.scrollTop / height) - MARGIN);
    const visible = Math.ceil((this.element.clientHeight || 400) / height) + 2 * MARGIN;
    const last = Math.min(this.items.length, first + visible);
    while (this.space.childElementCount > last - first) this.space.lastElementChild?.remove();
    while (this.space.childElementCount < last - first) this.space.append(this.options.create());
    let active = "";
    for (let index = first; index < last; index++) {
      const item = this.items[index];
      const row = /** @type {HTMLElement} */ (this.space.children[index - first]);
      const key = this.options.key(item);
      row.id = `${this.prefix}-${index}`;
      row.dataset.index = String(index);
      row.dataset.key = key;
      row.style.transform = `translateY(${index * height}px)`;
      row.setAttribute("aria-posinset", String(index + 1));
      row.setAttribute("aria-setsize", String(this.items.length));
      row.setAttribute("aria-selected", String(key === this.selected));
      row.classList.toggle("selected", key === this.selected);
      if (key === this.selected) active = row.id;
      this.options.update(row, item);
    }
    if (active) this.element.setAttribute("aria-activedescendant", active);
    else this.element.removeAttribute("aria-activedescendant");
  }

  /** Returns the index of the selected row, or -1. */
  index() { return this.items.findIndex((item) => this.options.key(item) === this.selected); }

  /** @param {number} index */
  moveTo(index) {
    const target = Math.min(Math.max(index, 0), this.items.length - 1);
    const item = this.items[target];
    if (item === undefined) return;
    const { height } = this.options;
    const { scrollTop, clientHeight } = this.element;
    this.element.scrollTop = Math.min(Math.max(scrollTop, (target + 1) * height - clientHeight), target * height);
    this.selected = this.options.key(item);
    this.options.select(item);
    this.render();
  }

  /** @param {KeyboardEvent} event */
  press(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const page = Math.max(1, Math.floor(this.element.clientHeight / this.options.height) - 1);
    const index = this.index();
    const item = this.items[index];
    /** @type {Record<string, () => void>} */
    const actions = {
      ArrowDown: () => this.moveTo(index + 1),
      ArrowUp: () => this.moveTo(index < 0 ? 0 : index - 1),
      PageDown: () => this.moveTo(index + page),
      PageUp: () => this.moveTo(index - page),
      Home: () => this.moveTo(0),
      End: () => this.moveTo(this.items.length - 1),
      Enter: () => item !== undefined && this.options.select(item),
      ArrowRight: () => item !== undefined && this.options.toggle?.(item, true),
      ArrowLeft: () => item !== undefined && this.options.toggle?.(item, false),
    };
    const action = actions[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  }

  /** @param {MouseEvent} event */
  click(event) {
    const row = event.target instanceof Element && event.target.closest("[data-index]");
    if (!(row instanceof HTMLElement)) return;
    const index = Number(row.dataset.index);
    if (isArrow(event)) this.options.toggle?.(this.items[index]);
    else this.moveTo(index);
  }
}
