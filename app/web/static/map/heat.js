/**
 * A map as 256 levels of heat, in full size and repeatedly halved. A pixel of a halved size has the highest level of
 * the pixels that it covers, so that no small defect disappears.
 */

import { normalised } from "./scale.js";

/** @typedef {import("./npy.js").Grid} Grid */
/** @typedef {import("./scale.js").Scale} Scale */

/**
 * @typedef {object} HeatLevel
 * @property {number} width
 * @property {number} height
 * @property {(column: number, row: number) => number} at the level of heat of a pixel, from 0 to 255
 */

/** The width and height of a tile, in pixels. */
export const TILE = 512;

/** As in `app/rendering/overlay.py`. */
const [BEFORE, COOLEST, HOTTEST] = [0.1, 0.25, 0.75];

/**
 * The colour and alpha of each level of heat, as in `app/rendering/overlay.py`: heat begins just below the threshold.
 * The opacity is applied when a tile is drawn.
 * @param {number[][]} table [256][3]
 * @param {number} threshold in [0, 1]
 * @returns {Uint8ClampedArray} [256 * 4] red, green, blue, alpha
 */
export function paintOf(table, threshold) {
  const paint = new Uint8ClampedArray(4 * 256);
  const begin = Math.max(0, threshold - BEFORE);
  for (let level = 0; level < 256; level++) {
    const excess = Math.min(1, Math.max(0, (level / 255 - begin) / (1 - begin)));
    const [red, green, blue] = table[Math.round(255 * (COOLEST + (HOTTEST - COOLEST) * excess))];
    paint.set([red, green, blue, 255 * excess * (2 - excess)], 4 * level);
  }
  return paint;
}

/**
 * @param {Grid} map
 * @param {Scale} scale
 * @returns {HeatLevel[]} the full size first; the last size fits into a tile
 */
export function heatLevels(map, scale) {
  const { values } = map;
  const full = {
    width: map.width,
    height: map.height,
    /** @type {HeatLevel["at"]} */
    at: (column, row) => (255 * normalised(values[row * map.width + column], scale) + 0.5) | 0,
  };
  /** @type {HeatLevel[]} */
  const levels = [full];
  for (let last = full; last.width > TILE || last.height > TILE; ) {
    last = halved(last);
    levels.push(last);
  }
  return levels;
}

/**
 * @param {HeatLevel} larger
 * @returns {HeatLevel}
 */
function halved(larger) {
  const [width, height] = [Math.ceil(larger.width / 2), Math.ceil(larger.height / 2)];
  const heat = new Uint8Array(width * height);
  for (let row = 0; row < larger.height; row++) {
    for (let column = 0, start = (row >> 1) * width; column < larger.width; column++) {
      const at = start + (column >> 1);
      const level = larger.at(column, row);
      if (level > heat[at]) heat[at] = level;
    }
  }
  return { width, height, at: (column, row) => heat[row * width + column] };
}

/**
 * A tile in colour. Tiles at the right and lower edges of the map are smaller.
 * @param {HeatLevel} level
 * @param {number} column
 * @param {number} row
 * @param {Uint8ClampedArray} paint
 * @returns {ImageData}
 */
export function paintTile(level, column, row, paint) {
  const [left, top] = [column * TILE, row * TILE];
  const picture = new ImageData(Math.min(TILE, level.width - left), Math.min(TILE, level.height - top));
  const colors = new Uint32Array(paint.buffer);
  const pixels = new Uint32Array(picture.data.buffer);
  for (let y = 0, place = 0; y < picture.height; y++) {
    for (let x = 0; x < picture.width; x++) pixels[place++] = colors[level.at(left + x, top + y)];
  }
  return picture;
}
