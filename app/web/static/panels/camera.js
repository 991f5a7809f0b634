/**
 * Whether the pictures of the chosen version are like those of its training: the evidence beside its threshold, and
 * statistics beside the band of the training, over the numbers of the pictures.
 */

import { byId, element } from "../element.js";
import { whole } from "../format.js";
import { get } from "../server/send.js";

/** @typedef {import("../server/models.js").Models} Models */
/**
 * @typedef {object} Health The body of `/v1/models/{model}/health`; see the API at /docs.
 * @property {string} message
 * @property {number} pictures
 * @property {number} threshold
 * @property {number[]} pictures_at
 * @property {number[]} evidence_history
 * @property {{name: string, low: number, high: number, history: number[]}[]} statistics
 */

const EVERY_MS = 5000;
const SVG = "http://www.w3.org/2000/svg";
const [WIDTH, HEIGHT] = [240, 56];
const SHOWN = ["brightness", "highlights", "contrast", "sharpness", "score"];

/** @param {Models} models */
export function showCamera(models) {
  const panel = byId("status", HTMLElement);
  const note = element("p", { class: "note" });
  const plots = element("div", { class: "plots" });
  panel.append(element("h2", {}, "Camera"), note, plots);
  let timer = 0;
  const look = async () => {
    clearTimeout(timer);
    if (panel.hidden) return;
    const { choice } = models;
    if (choice && !document.hidden) {
      const version = choice.version === null ? "" : `?version=${choice.version}`;
      try {
        /** @type {Health} */
        const health = await (await get(`v1/models/${encodeURIComponent(choice.name)}/health${version}`)).json();
        note.textContent = health.message;
        plots.replaceChildren(...(health.pictures ? figures(health) : []));
      } catch (error) {
        note.textContent = error instanceof Error ? error.message : String(error);
      }
    }
    timer = setTimeout(look, EVERY_MS);
  };
  new MutationObserver(look).observe(panel, { attributeFilter: ["hidden"] });
  models.addEventListener("change", look);
}

/** @param {Health} health */
function figures({ pictures_at, evidence_history, threshold, statistics }) {
  const logs = evidence_history.map((value) => Math.log10(Math.max(value, 1)));
  const limit = Math.log10(threshold);
  const evidence = figure("Evidence of a change (logarithm)", pictures_at, logs, [0, limit], true);
  const others = statistics
    .filter(({ name }) => SHOWN.includes(name))
    .map(({ name, history, low, high }) => figure(name, pictures_at, history, [low, high], false));
  return [evidence, ...others];
}

/**
 * A line over the numbers of the pictures, with a band, or with the upper end of the band as a threshold.
 * @param {string} title
 * @param {number[]} pictures
 * @param {number[]} values
 * @param {[number, number]} band
 * @param {boolean} isThreshold
 */
function figure(title, pictures, values, [low, high], isThreshold) {
  const [least, most] = [Math.min(low, ...values), Math.max(high, ...values)];
  const last = pictures[pictures.length - 1];
  const span = most - least || 1;
  /** @param {number} value */
  const y = (value) => (HEIGHT - ((value - least) / span) * HEIGHT).toFixed(1);
  const line = values.map((value, at) => `${at ? "L" : "M"}${((pictures[at] / last) * WIDTH).toFixed(1)} ${y(value)}`);
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("role", "img");
  const latest = values[values.length - 1].toFixed(2);
  const limits = isThreshold ? `threshold ${high.toFixed(2)}` : `training ${low.toFixed(2)} to ${high.toFixed(2)}`;
  svg.setAttribute("aria-label", `${title}: ${latest}, ${limits}, pictures 1 to ${whole(last)}`);
  const edges = (isThreshold ? [high] : [low, high]).map((value) => path("second", `M0 ${y(value)}L${WIDTH} ${y(value)}`));
  svg.append(path("first", line.join("")), ...edges);
  const value = element("span", { class: "value" }, `${latest} / ${limits}`);
  return element("figure", { class: "plot" }, element("figcaption", {}, title, value), svg);
}

/**
 * @param {string} kind
 * @param {string} line
 */
function path(kind, line) {
  const made = document.createElementNS(SVG, "path");
  made.setAttribute("class", kind);
  made.setAttribute("d", line);
  return made;
}
