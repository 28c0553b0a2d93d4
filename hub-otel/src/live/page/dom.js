// Elements. Texts are always text nodes: no value becomes markup.

/**
 * Child of an element: an element, a text, or nothing.
 * @typedef {Node | string | number | null | undefined | false} Child
 */

/**
 * Creates an element. `class`, `on…` listeners and attributes are given by name; `undefined`,
 * `null` and `false` leave an attribute out.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Record<string, any>} attributes
 * @param {...(Child | Child[])} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function h(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...nodes(children));
  return element;
}

/** @param {(Child | Child[])[]} children */
function nodes(children) {
  const shown = children.flat().filter((child) => child !== null && child !== undefined && child !== false);
  return shown.map((child) => (child instanceof Node ? child : String(child)));
}

/** Replaces the content of an element. @param {Element} element @param {...(Child | Child[])} children */
export function fill(element, ...children) {
  element.replaceChildren(...nodes(children));
}

/** @type {WeakMap<Element, string>} */
const versions = new WeakMap();

/** Replaces the content of an element if `version` differs. @param {Element} element @param {string} version @param {() => Child[]} content */
export function refill(element, version, content) {
  if (versions.get(element) === version) return;
  versions.set(element, version);
  fill(element, content());
}

/** Sets a text if it differs: an unchanged node keeps the user's selection. @param {Element} element @param {string} text */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** @type {Record<string, string>} */
const MARKS = {
  running: "●", waiting: "◆", suspended: "❙❙", success: "✓",
  failed: "✕", "timed out": "◷", cancelled: "–", rejected: "⊘",
};

/** Creates the badge of a state: a colour, a shape and a word. @param {string} state */
export function badge(state) {
  const name = `badge ${state.replace(" ", "-")}`;
  return h("span", { class: name }, h("span", { "aria-hidden": "true" }, MARKS[state] ?? "·"), ` ${state}`);
}

/** Creates a button that copies a text and confirms it. @param {string} label @param {() => string | Promise<string>} text */
export function copyButton(label, text) {
  const button = h("button", { class: "quiet", type: "button" }, label);
  button.addEventListener("click", async () => {
    const value = await text();
    let done = "copied";
    try {
      await navigator.clipboard.writeText(value);
    } catch {
      // Without permission for the clipboard the text is selected in a dialog.
      window.prompt("Copy", value);
      done = label;
    }
    button.textContent = done;
    setTimeout(() => (button.textContent = label), 1200);
  });
  return button;
}

/** Creates a section for a view without content, with the next step. @param {string} title @param {...Child} children */
export function empty(title, ...children) {
  return h("section", { class: "panel empty" }, h("h2", {}, title), children);
}
