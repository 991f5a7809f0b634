/**
 * A plot of one or two lines: values over the last minutes.
 */

import { element } from "../element.js";

const SVG = "http://www.w3.org/2000/svg";
const [WIDTH, HEIGHT] = [240, 56];

export class Plot {
  /** @type {(number | null)[][]} */
  #series;
  #value = element("span", { class: "value" });
  #svg = document.createElementNS(SVG, "svg");

  /**
   * @param {string} title
   * @param {(value: number) => string} format
   * @param {string[]} names of its lines
   * @param {number} points the number of values that each line keeps
   */
  constructor(title, format, names, points) {
    this.title = title;
    this.format = format;
    this.names = names;
    this.points = points;
    this.#series = names.map(() => []);
    this.#svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
    this.#svg.setAttribute("preserveAspectRatio", "none");
    this.#svg.setAttribute("role", "img");
    this.#svg.append(...names.map((_, line) => path(line ? "second" : "first")));
    this.figure = element("figure", { class: "plot" }, element("figcaption", {}, title, this.#value), this.#svg);
  }

  /**
   * Adds a value to each line; null where there is none.
   * @param {(number | null)[]} values
   */
  add(values) {
    values.forEach((value, line) => {
      const series = this.#series[line];
      series.push(value);
      if (series.length > this.points) series.shift();
    });
    const most = Math.max(1e-9, ...this.#series.flat().map((value) => value ?? 0));
    this.#series.forEach((series, line) => this.#svg.children[line].setAttribute("d", this.#lineOf(series, most)));
    const told = values.map((value) => (value === null ? "–" : this.format(value)));
    this.#value.textContent = told.join(" / ");
    const named = this.names.map((name, line) => `${name} ${told[line]}`).join(", ");
    this.#svg.setAttribute("aria-label", `${this.title}: ${named}; at most ${this.format(most)} lately`);
  }

  /**
   * @param {(number | null)[]} series
   * @param {number} most
   */
  #lineOf(series, most) {
    let pen = "M";
    return series
      .map((value, at) => {
        if (value === null) {
          pen = "M";
          return "";
        }
        const x = ((this.points - series.length + at) / (this.points - 1)) * WIDTH;
        const part = `${pen}${x.toFixed(1)} ${(HEIGHT - (value / most) * HEIGHT).toFixed(1)}`;
        pen = "L";
        return part;
      })
      .join("");
  }
}

/** @param {string} kind */
function path(kind) {
  const made = document.createElementNS(SVG, "path");
  made.setAttribute("class", kind);
  return made;
}
