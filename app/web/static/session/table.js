/**
 * The results of the visit as a table: CSV as of RFC 4180.
 */

/** @typedef {import("./picture.js").Picture} Picture */

const COLUMNS = ["picture", "state", "verdict", "score", "threshold", "model", "version", "score_before", "model_before", "version_before", "seconds", "message"];

/**
 * @param {Picture[]} pictures
 * @returns {Blob}
 */
export function tableOf(pictures) {
  const lines = [COLUMNS, ...pictures.map(rowOf)].map((row) => row.map(cell).join(","));
  return new Blob([lines.map((line) => `${line}\r\n`).join("")], { type: "text/csv" });
}

/**
 * @param {Picture} picture
 * @returns {(string | number)[]}
 */
function rowOf({ name, state, label, prediction, before, criteria, seconds, message }) {
  return [
    name,
    state,
    label,
    prediction?.score ?? "",
    criteria.threshold,
    prediction?.model ?? "",
    prediction?.version ?? "",
    before?.score ?? "",
    before?.model ?? "",
    before?.version ?? "",
    prediction ? seconds.toFixed(3) : "",
    message,
  ];
}

/** Spreadsheets run text that begins like a formula: a quote before it makes it text. @param {string | number} value */
function cell(value) {
  const text = typeof value === "string" ? value.replace(/^[=+\-@\t\r]/, "'$&") : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
