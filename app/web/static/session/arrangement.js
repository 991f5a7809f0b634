/**
 * Which pictures of the visit are listed, and in which order.
 */

/** @typedef {import("./picture.js").Picture} Picture */

/** @type {Record<string, (picture: Picture) => boolean>} by the words of the choice */
export const FILTERS = {
  all: () => true,
  anomalous: ({ label }) => label === "anomalous",
  normal: ({ label }) => label === "normal",
  failed: ({ state }) => state === "failed",
  "changed verdicts": ({ hasChanged }) => hasChanged,
};

/** @type {Record<string, (one: Picture, other: Picture) => number>} by the words of the choice */
export const ORDERS = {
  "as added": () => 0,
  "most anomalous first": (one, other) => rank(other) - rank(one),
  "by name": (one, other) => one.name.localeCompare(other.name, "en", { numeric: true }),
};

/** Pictures without a score come last. @param {Picture} picture */
const rank = ({ prediction }) => prediction?.score ?? -1;

/** Dispatches `change`. */
export class Arrangement extends EventTarget {
  filter = "all";
  order = "as added";

  /**
   * @param {string} filter
   * @param {string} order
   */
  set(filter, order) {
    [this.filter, this.order] = [filter, order];
    this.dispatchEvent(new Event("change"));
  }

  /**
   * @param {Picture[]} pictures
   * @returns {Picture[]}
   */
  of(pictures) {
    return pictures.filter(FILTERS[this.filter]).sort(ORDERS[this.order]);
  }
}
