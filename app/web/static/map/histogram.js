/**
 * The histogram of the normalised values of a map.
 */

import { normalised } from "./scale.js";

/** @typedef {import("./npy.js").Grid} Grid */
/** @typedef {import("./scale.js").Scale} Scale */

export const BINS = 120;

/**
 * @param {Grid} map
 * @param {Scale} scale
 * @returns {number[]} [BINS] numbers of pixels in equal parts of [0, 1]
 */
export function histogram({ values }, scale) {
  const counts = new Array(BINS).fill(0);
  for (let at = 0; at < values.length; at++) {
    counts[Math.min(BINS - 1, (normalised(values[at], scale) * BINS) | 0)]++;
  }
  return counts;
}
