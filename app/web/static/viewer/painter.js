/**
 * Draws the visible part of a picture or of its heat: only the tiles in the window, of the level that the screen needs.
 */

import { TILE } from "../map/heat.js";
import { levelFor } from "./view.js";

/** @typedef {import("./view.js").View} View */
/** @typedef {import("./view.js").Size} Size */

/**
 * @typedef {object} Stage Where to draw. Lengths are in CSS pixels, except those of the picture.
 * @property {CanvasRenderingContext2D} context
 * @property {View} view
 * @property {Size} window
 * @property {Size} picture
 * @property {number} ratio screen pixels per CSS pixel
 */
/**
 * @typedef {object} Source
 * @property {number} levels number of sizes; the last one fits into a tile
 * @property {number} [edge] of a tile in pixels; TILE if it is not given
 * @property {(level: number, column: number, row: number) => ImageBitmap | null} tile null while it is made
 */

/** From this scale on, pixels are shown as squares. */
const SQUARES = 3;

/**
 * Draws the tiles in the window. A tile that is still being made is replaced by its part of the smallest size.
 * @param {Stage} stage
 * @param {Source} source
 */
export function paintTiles(stage, source) {
  const level = levelFor(stage.view, stage.ratio, source.levels);
  stage.context.imageSmoothingEnabled = stage.view.scale * stage.ratio < SQUARES;
  const step = (source.edge ?? TILE) * 2 ** level;
  const { view, window, picture } = stage;
  const right = Math.min(picture.width, view.x + window.width / view.scale);
  const bottom = Math.min(picture.height, view.y + window.height / view.scale);
  for (let row = Math.max(0, Math.floor(view.y / step)); row * step < bottom; row++) {
    for (let column = Math.max(0, Math.floor(view.x / step)); column * step < right; column++) {
      const tile = source.tile(level, column, row);
      if (tile) placeTile(stage, tile, 0, 0, tile.width, tile.height, step, column, row);
      else paintStandIn(stage, source, step, column, row);
    }
  }
}

/**
 * @param {Stage} stage
 * @param {Source} source
 * @param {number} step
 * @param {number} column
 * @param {number} row
 */
function paintStandIn(stage, source, step, column, row) {
  const smallest = source.tile(source.levels - 1, 0, 0);
  if (!smallest) return;
  const size = step / 2 ** (source.levels - 1);
  const [left, top] = [column * size, row * size];
  const [width, height] = [Math.min(size, smallest.width - left), Math.min(size, smallest.height - top)];
  if (width > 0 && height > 0) placeTile(stage, smallest, left, top, width, height, step, column, row);
}

/**
 * Draws a part of a bitmap where the tile lies, on whole pixels of the screen, so that no seams are seen.
 * @param {Stage} stage
 * @param {ImageBitmap} bitmap
 * @param {number} left
 * @param {number} top
 * @param {number} width
 * @param {number} height
 * @param {number} step
 * @param {number} column
 * @param {number} row
 */
function placeTile({ context, view, picture, ratio }, bitmap, left, top, width, height, step, column, row) {
  /** @param {number} place */
  const onScreen = (place) => Math.round(place * view.scale * ratio) / ratio;
  const [x, y] = [onScreen(column * step - view.x), onScreen(row * step - view.y)];
  const right = onScreen(Math.min((column + 1) * step, picture.width) - view.x);
  const bottom = onScreen(Math.min((row + 1) * step, picture.height) - view.y);
  context.drawImage(bitmap, left, top, width, height, x, y, right - x, bottom - y);
}
