/**
 * A picture in full size and repeatedly halved, cut into tiles. No tile exceeds the limit of a graphics card, and of a
 * huge picture only the tiles in the window are drawn.
 */

import { TILE } from "../map/heat.js";

/**
 * @typedef {object} PictureLevel
 * @property {number} columns
 * @property {ImageBitmap[]} tiles row by row
 */

export class PictureLevels {
  edge = TILE;

  /**
   * @param {number} width
   * @param {number} height
   * @param {PictureLevel[]} levels the full size first
   */
  constructor(width, height, levels) {
    this.width = width;
    this.height = height;
    this.levels = levels;
  }

  /**
   * Decodes a picture; rejects with a DOMException if the browser cannot read it.
   * @param {Blob} file
   */
  static async read(file) {
    let bitmap = await createImageBitmap(file);
    const { width, height } = bitmap;
    const levels = [];
    for (;;) {
      levels.push(await cut(bitmap));
      if (bitmap.width <= TILE && bitmap.height <= TILE) break;
      const larger = bitmap;
      bitmap = await createImageBitmap(larger, {
        resizeWidth: Math.ceil(larger.width / 2),
        resizeHeight: Math.ceil(larger.height / 2),
        resizeQuality: "medium",
      });
      larger.close();
    }
    bitmap.close();
    return new PictureLevels(width, height, levels);
  }

  /**
   * @param {number} level
   * @param {number} column
   * @param {number} row
   */
  tile(level, column, row) {
    const { columns, tiles } = this.levels[level];
    return tiles[row * columns + column];
  }

  /** The whole picture in the smallest size. */
  get smallest() {
    return this.levels[this.levels.length - 1].tiles[0];
  }

  /** Frees the memory. */
  close() {
    for (const { tiles } of this.levels) tiles.forEach((tile) => tile.close());
    this.levels = [];
  }
}

/**
 * @param {ImageBitmap} bitmap
 * @returns {Promise<PictureLevel>}
 */
async function cut(bitmap) {
  const columns = Math.ceil(bitmap.width / TILE);
  const tiles = [];
  for (let top = 0; top < bitmap.height; top += TILE) {
    for (let left = 0; left < bitmap.width; left += TILE) {
      const [width, height] = [Math.min(TILE, bitmap.width - left), Math.min(TILE, bitmap.height - top)];
      tiles.push(createImageBitmap(bitmap, left, top, width, height));
    }
  }
  return { columns, tiles: await Promise.all(tiles) };
}
