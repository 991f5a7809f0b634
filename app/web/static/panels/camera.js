/**
 * Whether the pictures of the chosen version are like those of its training: the evidence beside its threshold, and
 * statistics beside the band of the training, over the numbers of the pictures.
 */

import { byId, element } from "../element.js";
import { whole } from "../format.js";
import { get } from "../server/send.js";
import { Axes, lineOf } from "./axes.js";

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
const FIRST = /** @type {const} */ ("first");
const LIMIT = /** @type {const} */ ("limit");
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
        if (choice !== models.choice) return; // the answer for the other one is on its way
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
  const evidence = figure("Evidence of a change, as a power of 10", pictures_at, logs, [["threshold", limit]], 0);
  const others = statistics
    .filter(({ name }) => SHOWN.includes(name))
    .map(({ name, history, low, high }) =>
      figure(name, pictures_at, history, [["lowest of the training", low], ["highest of the training", high]], null));
  return [evidence, ...others];
}

/**
 * A line over the numbers of the pictures, with limits.
 * @param {string} title
 * @param {number[]} pictures
 * @param {number[]} values
 * @param {[string, number][]} limits
 * @param {number | null} low where the axis begins; null: at the least of values and limits
 */
function figure(title, pictures, values, limits, low) {
  const all = [...values, ...limits.map(([, value]) => value)];
  const [least, most] = [low ?? Math.min(...all), Math.max(...all)];
  const last = pictures[pictures.length - 1];
  const legend = limits.length > 1 ? [{ name: "training", kind: LIMIT }, { name: "", kind: LIMIT }] : [{ name: limits[0][0], kind: LIMIT }];
  const axes = new Axes(title, [{ name: "measured", kind: FIRST }, ...legend]);
  const latest = values[values.length - 1].toFixed(2);
  const told = limits.map(([name, value]) => `${name} ${value.toFixed(2)}`).join(", ");
  const edges = limits.map(([, value]) => lineOf([value, value], (place) => place, least, most));
  axes.draw([lineOf(values, (place) => pictures[place] / last, least, most), ...edges], {
    value: latest,
    low: least.toFixed(2),
    high: most.toFixed(2),
    begin: "picture 1",
    end: whole(last),
    told: `${title}: ${latest}, ${told}, pictures 1 to ${whole(last)}`,
  });
  return axes.figure;
}
