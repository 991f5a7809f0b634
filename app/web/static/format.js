/**
 * Formats numbers for display. Units follow a space at which a line does not break.
 */

const WHOLE = new Intl.NumberFormat("en");

/** @param {number} value */
export const whole = (value) => WHOLE.format(Math.round(value));

/** @param {number} value a normalised score */
export const score = (value) => value.toFixed(3);

/** @param {number} value @param {string} one @param {string} [many] */
export const counted = (value, one, many = `${one}s`) => `${whole(value)} ${value === 1 ? one : many}`;

/** @param {number} value */
export function seconds(value) {
  if (value < 1) return `${Math.round(1000 * value)}\u00a0ms`;
  return value < 100 ? `${value.toFixed(value < 10 ? 2 : 1)}\u00a0s` : `${whole(value)}\u00a0s`;
}

/** @param {number} bytes */
export function memory(bytes) {
  if (bytes < 1024) return `${bytes}\u00a0B`;
  if (bytes < 2 ** 20) return `${Math.round(bytes / 1024)}\u00a0KiB`;
  const mib = bytes / 2 ** 20;
  return mib < 1024 ? `${mib.toFixed(mib < 10 ? 1 : 0)}\u00a0MiB` : `${(mib / 1024).toFixed(2)}\u00a0GiB`;
}
