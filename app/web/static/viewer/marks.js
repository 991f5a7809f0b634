/**
 * Draws regions and the divider over the picture: light lines with dark borders, visible on any background.
 */

/** @typedef {import("./painter.js").Stage} Stage */
/** @typedef {import("./view.js").Box} Box */
/** @typedef {import("../map/outline.js").Rect} Rect */

export const LIGHT = "#fff";
export const DARK = "rgba(0, 0, 0, 0.8)";
/** Regions that would be smaller on the screen get a frame of this size. */
const SMALLEST_FRAME = 14;
/** The peaks of regions that cover a larger share of the picture are marked: their outline says little. */
const LARGE_REGION = 0.25;
/** The number of the most anomalous regions whose size is checked for that. */
const CHECKED = 8;

/**
 * @param {Stage} stage
 * @param {{level: number, part: Rect, edges: Int32Array}} outline
 */
export function drawEdges({ context, view }, { level, edges }) {
  const size = 2 ** level * view.scale;
  for (const [width, color] of /** @type {[number, string][]} */ ([[3, DARK], [1, LIGHT]])) {
    context.fillStyle = color;
    for (let at = 0; at < edges.length; at += 4) {
      const x = Math.round(edges[at] * size - view.x * view.scale);
      const y = Math.round(edges[at + 1] * size - view.y * view.scale);
      const right = Math.round(edges[at + 2] * size - view.x * view.scale);
      const bottom = Math.round(edges[at + 3] * size - view.y * view.scale);
      const half = (width - 1) / 2;
      context.fillRect(x - half, y - half, right - x + width, bottom - y + width);
    }
  }
}

/**
 * Draws frames around the regions that are too small to be seen, and around the picked region.
 * @param {Stage} stage
 * @param {{box: Box}[]} regions
 * @param {number} picked its index, or -1
 */
export function drawFrames(stage, regions, picked) {
  regions.forEach(({ box }, index) => {
    const small = Math.max(box.width, box.height) * stage.view.scale < SMALLEST_FRAME;
    if (small || index === picked) drawFrame(stage, box, index === picked ? 2 : 1);
  });
}

/**
 * @param {Stage} stage
 * @param {Box} box
 * @param {number} width
 */
function drawFrame({ context, view }, box, width) {
  const gap = 4;
  const wide = Math.max(SMALLEST_FRAME, box.width * view.scale + 2 * gap);
  const high = Math.max(SMALLEST_FRAME, box.height * view.scale + 2 * gap);
  const x = Math.round((box.x + box.width / 2 - view.x) * view.scale - wide / 2) + 0.5;
  const y = Math.round((box.y + box.height / 2 - view.y) * view.scale - high / 2) + 0.5;
  for (const [line, color] of /** @type {[number, string][]} */ ([[width + 2, DARK], [width, LIGHT]])) {
    [context.lineWidth, context.strokeStyle] = [line, color];
    context.strokeRect(x, y, Math.round(wide), Math.round(high));
  }
}

/**
 * Draws a ring around the peak of each region that covers much of the picture.
 * @param {Stage} stage
 * @param {{area: number, peak: {x: number, y: number}}[]} regions
 */
export function drawPeaks({ context, view, picture }, regions) {
  for (const { area, peak } of regions.slice(0, CHECKED)) {
    if (area < LARGE_REGION * picture.width * picture.height) continue;
    const [x, y] = [(peak.x + 0.5 - view.x) * view.scale, (peak.y + 0.5 - view.y) * view.scale];
    for (const [line, color] of /** @type {[number, string][]} */ ([[4, DARK], [2, LIGHT]])) {
      context.beginPath();
      context.arc(x, y, 12, 0, 2 * Math.PI);
      [context.lineWidth, context.strokeStyle] = [line, color];
      context.stroke();
    }
  }
}

/**
 * Draws the line between the picture alone and the picture with its heat.
 * @param {Stage} stage
 * @param {number} x
 */
export function drawDivider({ context, window }, x) {
  for (const [width, color] of /** @type {[number, string][]} */ ([[4, DARK], [2, LIGHT]])) {
    context.fillStyle = color;
    context.fillRect(x - width / 2, 0, width, window.height);
  }
  context.beginPath();
  context.arc(x, window.height / 2, 9, 0, 2 * Math.PI);
  [context.fillStyle, context.strokeStyle, context.lineWidth] = [LIGHT, DARK, 2];
  context.fill();
  context.stroke();
}
