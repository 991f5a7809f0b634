/**
 * How a model is taught: the rate of false alarms, and whether there may be a second stage.
 */

import { element } from "../element.js";

/** @typedef {import("../teach/teachings.js").Options} Options */

/** The rate that is offered instead of that of the training, in percent. */
const FIRST_RATE = 1;

export class TeachOptions {
  #whose = element(
    "select", { change: () => this.#draw() },
    element("option", { value: "training" }, "as in the training"), element("option", { value: "own" }, "another"),
  );
  #percent = element("input", { type: "number", min: 0, max: 100, step: "any", "aria-label": "Rate of false alarms in percent" });
  #own = element("span", { class: "own" }, this.#percent, "%");
  #second = element("input", { type: "checkbox", "aria-describedby": "teach-second-note" });
  root = element(
    "details", { class: "options" },
    element("summary", {}, "Options"),
    element("div", { class: "row" }, element("label", { class: "field" }, "Rate of false alarms", this.#whose), this.#own),
    element("label", { class: "field" }, this.#second, "Confirmed defects may train a second stage"),
    element("p", { class: "facts", id: "teach-second-note" },
      "It needs ten pictures with confirmed defects and fifty harmless ones, and is kept only if it finds more defects."),
  );

  constructor() {
    this.reset();
  }

  /** Selects what a teaching does without options. */
  reset() {
    this.#whose.value = "training";
    this.#percent.value = String(FIRST_RATE);
    this.#second.checked = true;
    this.#draw();
  }

  /** What is selected; throws an Error for a rate that no model can have.
   * @returns {Options} */
  get selected() {
    const percent = this.#percent.valueAsNumber;
    const isOwn = this.#whose.value === "own";
    if (isOwn && !(percent > 0 && percent < 100)) {
      this.root.open = true;
      this.#percent.focus();
      throw new Error("The rate of false alarms must be over 0 % and under 100 %, such as 1 %.");
    }
    return { false_positive_rate: isOwn ? percent / 100 : null, second_stage: this.#second.checked };
  }

  #draw() {
    this.#own.hidden = this.#whose.value !== "own";
  }
}
