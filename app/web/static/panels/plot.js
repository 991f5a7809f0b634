/**
 * A plot of one or two lines: values over the last minutes, from 0 to the highest of them.
 */

import { Axes, lineOf } from "./axes.js";

const KINDS = /** @type {const} */ (["first", "second"]);

export class Plot {
  /** @type {(number | null)[][]} */
  #series;
  #axes;

  /**
   * @param {string} title
   * @param {(value: number) => string} format with the unit
   * @param {string[]} names of its lines
   * @param {number} points the number of values that each line keeps
   * @param {number} seconds between two values
   */
  constructor(title, format, names, points, seconds) {
    this.title = title;
    this.format = format;
    this.names = names;
    this.points = points;
    this.begin = `${Math.round((points * seconds) / 60)} min ago`;
    this.#series = names.map(() => []);
    this.#axes = new Axes(title, names.map((name, place) => ({ name, kind: KINDS[place] })));
  }

  get figure() {
    return this.#axes.figure;
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
    const isEmpty = most <= 1e-9;
    const told = values.map((value) => (value === null ? "–" : this.format(value)));
    const named = this.names.map((name, line) => `${name} ${told[line]}`).join(", ");
    this.#axes.draw(
      this.#series.map((series) => lineOf(series, (at) => (this.points - series.length + at) / (this.points - 1), 0, most)),
      {
        value: told.join(" / "),
        low: "0",
        high: isEmpty ? "" : this.format(most),
        begin: this.begin,
        end: "now",
        told: `${this.title}: ${named}; at most ${isEmpty ? "0" : this.format(most)} in the last minutes`,
      },
    );
  }
}
