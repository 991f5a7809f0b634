/**
 * A row of the list of zones: name, what counts, threshold, and a button that removes the zone.
 */

import { element } from "../element.js";

/** @typedef {import("./draft.js").Draft} Draft */

/** The threshold of a zone that was ignored: above that of the model, 0.5. */
const FIRST_THRESHOLD = 0.7;

/** Its controls stay the same elements, so that a click that also selects the zone or ends an input reaches them. */
export class ZoneRow {
  #name = element("input", { type: "text", maxlength: 100, change: () => this.#rename() });
  #counts = element(
    "select", { change: () => this.#setThreshold(this.#counts.value === "own" ? FIRST_THRESHOLD : null) },
    element("option", { value: "ignore" }, "Ignore"), element("option", { value: "own" }, "Threshold"),
  );
  #threshold = element("input", { type: "number", min: 0, step: "any", change: () => this.#readThreshold() });
  #remove = element("button", { type: "button", click: () => this.#draft.remove(this.#index) }, "×");
  item = element("li", { focusin: () => this.#draft.select(this.#index) }, this.#name, this.#counts, this.#threshold, this.#remove);
  /** @type {Draft} */
  #draft;
  /** @type {number} */
  #index;

  /**
   * @param {Draft} draft
   * @param {number} index of the zone
   */
  constructor(draft, index) {
    [this.#draft, this.#index] = [draft, index];
  }

  get #zone() {
    return this.#draft.zones[this.#index];
  }

  /** Shows the zone as it is now. */
  show() {
    const { name, threshold } = this.#zone;
    this.item.classList.toggle("selected", this.#index === this.#draft.selected);
    if (document.activeElement !== this.#name) this.#name.value = name; // not while it is edited
    this.#name.setAttribute("aria-label", `Name of zone ${this.#index + 1}`);
    this.#counts.value = threshold === null ? "ignore" : "own";
    this.#counts.setAttribute("aria-label", `What counts in ${name}`);
    this.#threshold.hidden = threshold === null;
    if (document.activeElement !== this.#threshold) this.#threshold.value = String(threshold ?? FIRST_THRESHOLD);
    this.#threshold.setAttribute("aria-label", `Threshold of ${name}`);
    this.#remove.setAttribute("aria-label", `Remove ${name}`);
  }

  /** An empty name is not taken. */
  #rename() {
    const given = this.#name.value.trim();
    if (given) this.#draft.set(this.#index, { name: given });
    this.#name.value = this.#zone.name;
  }

  /** What is no threshold is not taken. */
  #readThreshold() {
    const { value, valueAsNumber, validity } = this.#threshold;
    if (validity.valid && value) this.#setThreshold(valueAsNumber);
    else this.#threshold.value = String(this.#zone.threshold);
  }

  /** @param {number | null} threshold */
  #setThreshold(threshold) {
    this.#draft.set(this.#index, { threshold, pixelThreshold: null });
  }
}
