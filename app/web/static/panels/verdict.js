/**
 * The prediction for a picture, and the threshold that decides it.
 */

import { byId, element } from "../element.js";
import { score, seconds } from "../format.js";
import { labelAt } from "../server/prediction.js";

/** @typedef {import("../inspector.js").Inspector} Inspector */
/** @typedef {import("../session/session.js").Session} Session */
/** @typedef {import("../session/picture.js").Picture} Picture */

const CALIBRATED = { threshold: 0.5, minArea: 1 };
/** Notes that the page finds itself, at any threshold: see `RegionList`. */
const FOUND_HERE = ["anomalous_without_region", "normal_with_regions"];
/** @type {Record<string, string>} */
const NOTES = {
  unseen_size: "The model was trained on pictures of other sizes.",
  smaller_than_tile: "The picture is smaller than a tile.",
  partial: "Only a part of the picture was looked at.",
};
export class Verdict {
  #label = byId("label", HTMLElement);
  #facts = byId("facts", HTMLElement);
  #notes = byId("notes", HTMLElement);
  #panel = byId("scale-panel", HTMLElement);
  #gauge = byId("gauge", HTMLElement);
  #level = byId("gauge-level", HTMLElement);
  #mark = byId("gauge-mark", HTMLElement);
  #slider = byId("threshold", HTMLInputElement);
  #number = byId("threshold-number", HTMLInputElement);
  #area = byId("area", HTMLInputElement);
  #shared = byId("shared", HTMLInputElement);

  /**
   * @param {Inspector} inspector
   * @param {Session} session
   */
  constructor(inspector, session) {
    this.inspector = inspector;
    this.session = session;
    this.#slider.addEventListener("input", () => this.#ask(this.#slider.valueAsNumber, null));
    this.#number.addEventListener("input", () => this.#ask(this.#number.valueAsNumber, null));
    this.#area.addEventListener("input", () => this.#ask(null, this.#area.valueAsNumber));
    byId("reset", HTMLButtonElement).addEventListener("click", () => this.#ask(CALIBRATED.threshold, CALIBRATED.minArea));
    this.#shared.addEventListener("change", () => {
      session.isShared = this.#shared.checked;
      if (session.isShared) this.#ask(null, null);
    });
    for (const input of [this.#number, this.#area]) input.addEventListener("blur", () => this.#tellControls());
    inspector.addEventListener("shown", () => this.#tell());
    session.addEventListener("change", () => this.#tellShared());
  }

  /**
   * Applies other criteria. Numbers that are null, incomplete or out of range are ignored.
   * @param {number | null} threshold
   * @param {number | null} minArea
   */
  #ask(threshold, minArea) {
    const { picture } = this.inspector;
    if (!picture) return;
    const criteria = { ...picture.criteria };
    if (threshold !== null && threshold >= 0 && threshold <= 1) criteria.threshold = threshold;
    if (minArea !== null && minArea >= 1) criteria.minArea = Math.floor(minArea);
    this.inspector.find(criteria);
    this.session.judge(picture, criteria);
    this.#tell();
  }

  #tellShared() {
    byId("shared-label", HTMLElement).hidden = this.session.pictures.length < 2;
  }

  #tell() {
    const { picture, shape } = this.inspector;
    const prediction = picture?.prediction;
    this.#panel.hidden = !prediction;
    this.#notes.textContent = picture ? notes(picture).join(" ") : "";
    this.#label.className = `label ${picture?.label ?? ""}`;
    if (!picture || !prediction) {
      this.#label.textContent = picture ? picture.name : "No verdict yet";
      this.#facts.textContent = picture ? "" : "The verdict, its score and the regions of a picture appear here.";
      return;
    }
    const word = picture.label === "anomalous" ? "Anomalous" : "Normal";
    this.#label.replaceChildren(element("span", { class: "number" }, score(prediction.score)), word);
    const size = shape ? `${shape.width} × ${shape.height}, ` : "";
    const facts = `${picture.name}, ${size}${prediction.model} version ${prediction.version}, ${seconds(picture.seconds)}`;
    this.#facts.replaceChildren(facts, ...earlier(picture));
    this.#gauge.classList.toggle("anomalous", picture.label === "anomalous");
    this.#gauge.setAttribute("aria-valuenow", score(prediction.score));
    this.#gauge.setAttribute("aria-valuetext", `${score(prediction.score)}, ${picture.label}`);
    this.#level.style.width = `${100 * prediction.score}%`;
    this.#mark.style.left = `${100 * picture.criteria.threshold}%`;
    this.#tellControls();
    if (shape) drawHistogram(byId("histogram", HTMLCanvasElement), shape.histogram);
  }

  #tellControls() {
    const criteria = this.inspector.picture?.criteria;
    if (!criteria) return;
    this.#slider.valueAsNumber = criteria.threshold;
    for (const [input, value] of /** @type {[HTMLInputElement, number][]} */ ([
      [this.#number, criteria.threshold],
      [this.#area, criteria.minArea],
    ])) {
      if (document.activeElement !== input || !input.value) input.valueAsNumber = value; // not while the user edits it
    }
  }
}

/**
 * What another version said before.
 * @param {Picture} picture
 */
function earlier({ before, criteria }) {
  if (!before) return [];
  const text = `Before, ${before.model} version ${before.version}: ${labelAt(before, criteria.threshold)} ${score(before.score)}. Compare shows its heat at the left.`;
  return [element("span", { class: "earlier" }, text)];
}

/**
 * What to know of the picture's prediction, in sentences.
 * @param {Picture} picture
 * @returns {string[]}
 */
function notes({ prediction }) {
  const codes = (prediction?.notes ?? []).filter((code) => !FOUND_HERE.includes(code));
  return codes.map((code) => NOTES[code] ?? code);
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {number[]} counts
 */
function drawHistogram(canvas, counts) {
  const ratio = Math.min(devicePixelRatio, 2);
  const [width, height] = [canvas.clientWidth * ratio, canvas.clientHeight * ratio];
  [canvas.width, canvas.height] = [width, height];
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.fillStyle = getComputedStyle(canvas).color;
  const most = Math.log1p(Math.max(...counts));
  const step = width / counts.length;
  counts.forEach((count, bin) => {
    const high = most ? (Math.log1p(count) / most) * height : 0;
    context.fillRect(bin * step, height - high, Math.max(step - ratio / 2, 1), high);
  });
}
