/**
 * Draws regions, tiles and the divider over the picture: light lines with dark borders, visible on any background.
 */

/** @typedef {import("./painter.js").Stage} Stage */
/** @typedef {import("./view.js").Box} Box */
/** @typedef {import("../map/outline.js").Rect} Rect */
/** @typedef {{row: number, column: number, box: Box, score: number}} TileScore */

const LIGHT = "#fff";
const DARK = "rgba(0, 0, 0, 0.8)";
/** Regions that would be smaller on the screen get a frame of this size. */
const SMALLEST_FRAME = 14;
/** Tiles that are smaller on the screen are drawn without their scores. */
const SMALLEST_LABELLED = 44;

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
 * @param {Stage} stage
 * @param {TileScore[]} tiles
 * @param {number} threshold
 */
export function drawTileGrid({ context, view }, tiles, threshold) {
  context.font = "11px ui-monospace, monospace";
  context.textBaseline = "top";
  for (const { box, score } of tiles) {
    const [x, y] = [(box.x - view.x) * view.scale, (box.y - view.y) * view.scale];
    const [wide, high] = [box.width * view.scale, box.height * view.scale];
    for (const [line, color] of /** @type {[number, string][]} */ ([[2, DARK], [1, LIGHT]])) {
      [context.lineWidth, context.strokeStyle] = [line, color];
      context.globalAlpha = 0.5;
      context.strokeRect(Math.round(x) + 0.5, Math.round(y) + 0.5, Math.round(wide), Math.round(high));
    }
    context.globalAlpha = 1;
    if (wide >= SMALLEST_LABELLED) drawLabel(context, score.toFixed(2), x + 4, y + 4, score > threshold);
  }
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {string} text
 * @param {number} x
 * @param {number} y
 * @param {boolean} strong
 */
function drawLabel(context, text, x, y, strong) {
  const width = context.measureText(text).width + 6;
  context.fillStyle = strong ? LIGHT : DARK;
  context.fillRect(Math.round(x), Math.round(y), Math.round(width), 15);
  context.fillStyle = strong ? "#000" : LIGHT;
  context.fillText(text, Math.round(x) + 3, Math.round(y) + 2);
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
