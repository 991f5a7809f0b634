/**
 * The frame of a plot: a title with its latest value, an axis with its ends and unit at the left, the span below, and
 * a legend of the lines.
 */

import { element } from "../element.js";

const SVG = "http://www.w3.org/2000/svg";
/** The size of the drawing, which is stretched to the plot. */
export const [WIDTH, HEIGHT] = [240, 56];

/** @typedef {"first" | "second" | "limit"} Kind of a line */
/** @typedef {{name: string, kind: Kind}} Line */

export class Axes {
  #value = element("span", { class: "value" });
  #top = element("span");
  #bottom = element("span");
  #left = element("span");
  #right = element("span");
  #svg = document.createElementNS(SVG, "svg");
  /** @type {SVGPathElement[]} */
  #paths = [];

  /**
   * @param {string} title
   * @param {Line[]} lines
   */
  constructor(title, lines) {
    this.#svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
    this.#svg.setAttribute("preserveAspectRatio", "none");
    this.#svg.setAttribute("role", "img");
    this.#paths = lines.map(({ kind }) => {
      const path = document.createElementNS(SVG, "path");
      path.setAttribute("class", kind);
      return path;
    });
    this.#svg.append(...this.#paths);
    const legend = lines.filter(({ name }) => name).map(({ name, kind }) => element("span", { class: `key-${kind}` }, name));
    this.figure = element(
      "figure",
      { class: "plot" },
      element("figcaption", {}, element("span", {}, title), this.#value),
      element("div", { class: "frame" }, element("div", { class: "axis" }, this.#top, this.#bottom), this.#svg),
      element("div", { class: "span" }, this.#left, element("span", { class: "legend" }, ...legend), this.#right),
    );
  }

  /**
   * @param {string[]} paths one for each line
   * @param {{value: string, low: string, high: string, begin: string, end: string, told: string}} texts the latest
   *   value, the ends of both axes, and what a screen reader says
   */
  draw(paths, { value, low, high, begin, end, told }) {
    paths.forEach((line, place) => this.#paths[place].setAttribute("d", line));
    this.#value.textContent = value;
    [this.#top.textContent, this.#bottom.textContent] = [high, low];
    [this.#left.textContent, this.#right.textContent] = [begin, end];
    this.#svg.setAttribute("aria-label", told);
  }
}

/**
 * A line through values; gaps where they are null.
 * @param {(number | null)[]} values
 * @param {(place: number) => number} across from the number of a value to [0, 1]
 * @param {number} low
 * @param {number} high
 */
export function lineOf(values, across, low, high) {
  const span = high - low || 1;
  let pen = "M";
  return values
    .map((value, place) => {
      if (value === null) {
        pen = "M";
        return "";
      }
      const part = `${pen}${(across(place) * WIDTH).toFixed(1)} ${(HEIGHT - ((value - low) / span) * HEIGHT).toFixed(1)}`;
      pen = "L";
      return part;
    })
    .join("");
}
