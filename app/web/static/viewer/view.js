/**
 * The visible part of a picture, and its scale. These functions compute values; nothing is drawn here.
 */

/**
 * @typedef {object} View
 * @property {number} scale CSS pixels per pixel of the picture
 * @property {number} x the picture's column at the left of the window
 * @property {number} y the picture's row at the top of the window
 */
/**
 * @typedef {object} Size
 * @property {number} width
 * @property {number} height
 */
/** @typedef {{x: number, y: number, width: number, height: number}} Box */

/** The largest scale. */
const LARGEST = 32;
const MARGIN = 12;

/**
 * The view of the whole picture, centred.
 * @param {Size} window
 * @param {Size} picture
 * @returns {View}
 */
export function fitted(window, picture) {
  return around({ x: 0, y: 0, ...picture }, window, LARGEST, MARGIN);
}

/**
 * The view of a part of the picture, centred, with some of its surroundings.
 * @param {Box} box
 * @param {Size} window
 * @param {Size} picture
 * @returns {View}
 */
export function closeUp(box, window, picture) {
  const largest = Math.max(4, fitted(window, picture).scale);
  return around(box, window, largest, Math.min(window.width, window.height) / 4);
}

/**
 * @param {Box} box
 * @param {Size} window
 * @param {number} largest
 * @param {number} margin
 * @returns {View}
 */
function around(box, window, largest, margin) {
  const wide = Math.max(1, window.width - 2 * margin) / box.width;
  const high = Math.max(1, window.height - 2 * margin) / box.height;
  const scale = Math.min(wide, high, largest);
  return {
    scale,
    x: box.x + box.width / 2 - window.width / scale / 2,
    y: box.y + box.height / 2 - window.height / scale / 2,
  };
}

/**
 * The view enlarged by a factor. The point of the window shows the same place afterwards.
 * @param {View} view
 * @param {number} factor
 * @param {{x: number, y: number}} point
 * @param {Size} window
 * @param {Size} picture
 * @returns {View}
 */
export function zoomed(view, factor, point, window, picture) {
  const smallest = Math.min(1, fitted(window, picture).scale / 2);
  const scale = Math.min(LARGEST, Math.max(smallest, view.scale * factor));
  const x = view.x + point.x / view.scale - point.x / scale;
  const y = view.y + point.y / view.scale - point.y / scale;
  return kept({ scale, x, y }, window, picture);
}

/**
 * The view moved by CSS pixels.
 * @param {View} view
 * @param {number} right
 * @param {number} down
 * @param {Size} window
 * @param {Size} picture
 * @returns {View}
 */
export function moved(view, right, down, window, picture) {
  return kept({ ...view, x: view.x - right / view.scale, y: view.y - down / view.scale }, window, picture);
}

/**
 * The view limited so that the middle of the window lies on the picture. So the picture is always visible.
 * @param {View} view
 * @param {Size} window
 * @param {Size} picture
 * @returns {View}
 */
export function kept({ scale, x, y }, window, picture) {
  const [halfWidth, halfHeight] = [window.width / scale / 2, window.height / scale / 2];
  return {
    scale,
    x: Math.min(Math.max(x, -halfWidth), picture.width - halfWidth),
    y: Math.min(Math.max(y, -halfHeight), picture.height - halfHeight),
  };
}

/** How far a place lies outside of the window: negative before it.
 * @param {number} place
 * @param {number} length */
export function excess(place, length) {
  return Math.max(0, place - length) + Math.min(0, place);
}

/**
 * The view at a share in [0, 1] of the way from one view to another.
 * @param {View} from
 * @param {View} to
 * @param {number} share
 * @param {Size} window
 * @returns {View}
 */
export function between(from, to, share, window) {
  const scale = from.scale * (to.scale / from.scale) ** share;
  /** @param {"x" | "y"} axis @param {number} length */
  const place = (axis, length) => {
    const [start, end] = [from[axis] + length / from.scale / 2, to[axis] + length / to.scale / 2];
    return start + (end - start) * share - length / scale / 2;
  };
  return { scale, x: place("x", window.width), y: place("y", window.height) };
}

/**
 * The number of the halved size that has as many pixels as the screen needs, or up to twice as many.
 * @param {View} view
 * @param {number} ratio screen pixels per CSS pixel
 * @param {number} levels number of sizes
 */
export function levelFor(view, ratio, levels) {
  return Math.min(levels - 1, Math.max(0, Math.floor(-Math.log2(view.scale * ratio))));
}
