/**
 * The panel beside the picture: which pictures, what the model said, the regions, and the keys.
 */

import { element } from "../element.js";
import { score, whole } from "../format.js";
import { LABELS } from "./judgement.js";
import { LEGEND } from "./keys.js";

/** @typedef {import("./judgement.js").Judgement} Judgement */
/** @typedef {import("./judgement.js").Label} Label */
/** @typedef {import("./queue.js").Wish} Wish */

/**
 * @typedef {object} Wishes
 * @property {(wish: Wish) => void} begin
 * @property {(number: number) => void} select
 * @property {(number: number, label: Label) => void} judge
 * @property {(label: Label) => void} judgeAll
 * @property {(step: number) => void} go
 * @property {() => void} undo
 * @property {() => void} toggleBrush
 * @property {() => void} toggleHeat
 * @property {(factor: number) => void} zoom
 * @property {() => void} fit
 */

/** @param {string} text @param {(event: Event) => void} click @param {string} [keys] */
const button = (text, click, keys) =>
  element("button", { type: "button", click, ...(keys ? { "aria-keyshortcuts": keys } : {}) }, text);

export class Panel {
  /** @param {Wishes} wishes */
  constructor(wishes) {
    this.#wishes = wishes;
    this.#model = choice([["", "all models"]], () => this.#begin());
    this.#reviewed = choice([["false", "to review"], ["true", "reviewed"], ["", "all"]], () => this.#begin());
    this.#order = choice([["uncertain", "uncertain first"], ["newest", "newest first"]], () => this.#begin());
    this.#brush = button("Missed here (B)", wishes.toggleBrush, "b");
    this.#heat = button("Heat (M)", wishes.toggleHeat, "m");
    this.#undo = button("Undo (Z)", wishes.undo, "z");
    const legend = LEGEND.map(([keys, meaning]) => element("div", {}, element("dt", {}, keys), element("dd", {}, meaning)));
    this.tools = element(
      "div", { class: "toolbar", role: "group", "aria-label": "Review" },
      button("← Previous", () => wishes.go(-1), "ArrowLeft"), button("Next →", () => wishes.go(1), "ArrowRight"),
      button("All harmless (A)", () => wishes.judgeAll("harmless"), "a"),
      button("A defect (W)", () => wishes.judgeAll("defect"), "w"),
      this.#brush, this.#undo, this.#heat,
      element("div", { class: "zoom" }, button("−", () => wishes.zoom(1 / 1.5), "-"), button("+", () => wishes.zoom(1.5), "+"),
        button("Fit", wishes.fit, "0")),
    );
    const [smaller, larger] = this.tools.querySelectorAll(".zoom button");
    smaller.setAttribute("aria-label", "Zoom out");
    larger.setAttribute("aria-label", "Zoom in");
    this.root = element(
      "aside", { class: "findings", "aria-label": "What the model said, and what you say" },
      element("section", { class: "panel wishes" },
        labelled("Model", this.#model), labelled("Show", this.#reviewed), labelled("Order", this.#order)),
      element("section", { class: "panel" }, this.#progress, this.#title, this.#facts, this.#said, this.#state),
      element("section", { class: "panel grow" }, element("h2", {}, "Regions"), this.#regions),
      element("details", { class: "panel keys" }, element("summary", {}, "Keys"), element("dl", {}, ...legend)),
    );
    const keys = /** @type {HTMLDetailsElement} */ (this.root.querySelector("details"));
    keys.open = !matchMedia("(max-width: 860px)").matches;
  }

  #wishes;
  #model;
  #reviewed;
  #order;
  #brush;
  #heat;
  #undo;
  #progress = element("p", { class: "facts progress" });
  #title = element("h2", { class: "name" });
  #facts = element("p", { class: "facts" });
  #said = element("p", { class: "said", role: "status" });
  #state = element("p", { class: "note", role: "status" });
  #regions = element("ol", { class: "judged", tabindex: 0, "aria-label": "Regions of the picture" });

  /** @returns {Wish} */
  get wish() {
    return { model: this.#model.value, reviewed: this.#reviewed.value, order: this.#order.value };
  }

  /** @param {string[]} names */
  set models(names) {
    const chosen = this.#model.value;
    this.#model.replaceChildren(...[["", "all models"], ...names.map((name) => [name, name])].map(option));
    this.#model.value = names.includes(chosen) ? chosen : "";
  }

  /** @param {string} text */
  set state(text) {
    this.#state.textContent = text;
  }

  /**
   * @param {{isBrush: boolean, hasHeat: boolean}} tools which are on
   */
  setTools({ isBrush, hasHeat }) {
    this.#brush.setAttribute("aria-pressed", String(isBrush));
    this.#heat.setAttribute("aria-pressed", String(hasHeat));
  }

  /**
   * Shows where the person is, and the picture with what was said about it.
   * @param {{place: number, total: number, saved: number}} progress
   * @param {Judgement | null} judgement
   * @param {number} selected
   */
  show({ place, total, saved }, judgement, selected) {
    this.#progress.textContent = judgement ? `Picture ${whole(place + 1)} of ${whole(total)}, ${whole(saved)} reviewed in this visit` : "";
    if (!judgement) {
      this.#title.textContent = "No pictures here";
      this.#facts.textContent = "The server keeps pictures as its setting pictures_keep says. Choose others above, or come back later.";
      this.#said.textContent = "";
      this.#regions.replaceChildren();
      return;
    }
    const { picture } = judgement;
    const more = picture.region_count > picture.regions.length ? `, the ${whole(picture.regions.length)} most anomalous of ${whole(picture.region_count)} regions` : "";
    this.#title.textContent = picture.name || "Picture without a name";
    this.#facts.textContent =
      `${picture.label} ${score(picture.score)}, threshold ${score(picture.threshold)}, ${picture.model.name} version ${picture.model.version}${more}`;
    this.#said.textContent = saidOf(judgement);
    this.#undo.disabled = !judgement.canUndo && place === 0;
    const focused = [...this.#regions.querySelectorAll("button")].indexOf(/** @type {any} */ (document.activeElement));
    this.#regions.replaceChildren(...picture.regions.map((region) => this.#row(judgement, region, selected)));
    if (focused >= 0) this.#regions.querySelectorAll("button")[focused]?.focus({ preventScroll: true });
    const current = /** @type {HTMLElement | null} */ (this.#regions.querySelector('[aria-current="true"]'));
    if (current) this.#regions.scrollTop = current.offsetTop - this.#regions.offsetTop - this.#regions.clientHeight / 2;
  }

  /**
   * @param {Judgement} judgement
   * @param {import("./judgement.js").Region} region
   * @param {number} selected
   */
  #row(judgement, { number, score: value, area }, selected) {
    const label = judgement.labelOf(number);
    const choices = LABELS.map((each) => {
      const made = button(each, () => this.#wishes.judge(number, each));
      made.setAttribute("aria-pressed", String(each === label));
      made.setAttribute("aria-label", `Region ${number + 1}: ${each}`);
      return made;
    });
    const name = button(`${number + 1}: ${score(value)}, ${whole(area)} px`, () => this.#wishes.select(number));
    name.className = "plain";
    return element("li", { "aria-current": String(number === selected), "data-label": label ?? "" }, name, element("span", { class: "choices" }, ...choices));
  }

  #begin() {
    this.#wishes.begin(this.wish);
  }
}

/** @param {Judgement} judgement */
function saidOf(judgement) {
  const { label, missed, picture } = judgement;
  if (!label) return "Not reviewed yet.";
  const open = picture.regions.filter(({ number }) => !judgement.labelOf(number)).length;
  const drawn = missed.length ? `, ${whole(missed.length)} drawn` : "";
  return `Reviewed: ${label}${drawn}${open ? `, ${whole(open)} of ${whole(picture.regions.length)} regions open` : ""}.`;
}

/**
 * @param {string[][]} options value and text of each
 * @param {() => void} change
 */
function choice(options, change) {
  return element("select", { change }, ...options.map(option));
}

/** @param {string[]} values */
function option([value, text]) {
  return element("option", { value }, text);
}

/** @param {string} text @param {HTMLSelectElement} select */
function labelled(text, select) {
  return element("label", { class: "field" }, text, select);
}
