/**
 * The scale on which anomalies are told: in [0, 1], with the model's own threshold at 0.5.
 */

/**
 * @typedef {object} Scale What a model's calibration says of the values of its maps.
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
 * The raw value that values of the map must exceed, rounded to float32 as the map is, and as the server compares;
 * infinite for 1, which nothing exceeds.
 * @param {number} threshold in [0, 1]
 * @param {Scale} scale
 */
export function rawThreshold(threshold, scale) {
  return threshold >= 1 ? Infinity : Math.fround(scale.threshold + (threshold - 0.5) * (scale.max - scale.min));
}
