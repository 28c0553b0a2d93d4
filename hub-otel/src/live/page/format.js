// Numbers, durations and times as text.

/** Formats a whole number. @type {(value: number) => string} */
export const count = new Intl.NumberFormat("en").format;

/** Formats a duration. @param {number} micros */
export function duration(micros) {
  const ms = Math.max(0, micros) / 1000;
  if (ms < 1) return `${Math.round(ms * 1000)} µs`;
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const s = ms / 1000;
  if (s < 60) return `${s.toFixed(s < 10 ? 2 : 1)} s`;
  const minutes = Math.floor(s / 60);
  if (minutes < 60) return `${minutes} m ${String(Math.floor(s % 60)).padStart(2, "0")} s`.replace(" 00 s", "");
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} m`;
}

/** Formats a time of the day. @param {number} micros since 1970 */
export function time(micros) {
  const date = new Date(micros / 1000);
  const clock = date.toLocaleTimeString("en-GB", { hour12: false });
  return `${clock}.${String(date.getMilliseconds()).padStart(3, "0")}`;
}

/** Formats the date of a day that is not today. @param {number} micros since 1970 */
export function day(micros) {
  const date = new Date(micros / 1000);
  return date.toDateString() === new Date().toDateString() ? "" : `${date.toLocaleDateString("en-CA")} `;
}

/** Formats an amount of US dollars. @param {number} value */
export function money(value) {
  if (value >= 1) return `$${value.toFixed(2)}`;
  return `$${value < 0.001 ? value.toPrecision(2) : value.toFixed(value < 0.01 ? 4 : 3)}`;
}

/** Formats a size. @param {number} value */
export function bytes(value) {
  if (value < 1024) return `${value} B`;
  const kib = value / 1024;
  if (kib < 1024) return `${Math.round(kib)} KiB`;
  const mib = kib / 1024;
  return mib < 1024 ? `${mib < 10 ? mib.toFixed(1) : Math.round(mib)} MiB` : `${(mib / 1024).toFixed(1)} GiB`;
}

/** Formats a value of a chart. @param {number} value @param {string} unit */
export function measure(value, unit) {
  if (unit === "bytes") return bytes(value);
  if (unit === "ms") return duration(value * 1000);
  if (unit === "s") return duration(value * 1e6);
  if (unit.startsWith("$")) return unit.replace("$", value ? money(value) : "$0");
  const text = value >= 100 || Number.isInteger(value) ? count(Math.round(value)) : value.toFixed(1);
  return unit ? `${text} ${unit}` : text;
}

/** Formats a number with its noun. @param {number} value @param {string} noun */
export function plural(value, noun) {
  return `${count(value)} ${noun}${value === 1 ? "" : "s"}`;
}
