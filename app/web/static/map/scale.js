/**
 * The scale of normalised values: [0, 1], with the model's own threshold at 0.5.
 */

/**
 * @typedef {object} Scale The calibration of the values of a model's maps.
 * @property {number} threshold
 * @property {number} min
 * @property {number} max
 */

/**
 * @param {number} raw
 * @param {Scale} scale
 */
export function normalised(raw, scale) {
  return Math.min(Math.max((raw - scale.threshold) / (scale.max - scale.min) + 0.5, 0), 1);
}

/**
 * The raw value that a pixel must exceed, rounded to float32: the map is float32, and the server compares the same way.
 * Infinity for 1, which no pixel exceeds.
 * @param {number} threshold in [0, 1]
 * @param {Scale} scale
 */
export function rawThreshold(threshold, scale) {
  return threshold >= 1 ? Infinity : Math.fround(scale.threshold + (threshold - 0.5) * (scale.max - scale.min));
}
