/**
 * The tiles of a map in colour. They are made when they are first drawn, and cached.
 */

/** @typedef {import("../map/client.js").MapClient} MapClient */
/** @typedef {{bitmap: ImageBitmap | null, threshold: number, isMaking: boolean}} Tile `threshold` is that of the bitmap */

/** The largest number of cached tiles, of 1 MiB each. */
const KEPT = 48;

export class HeatTiles {
  /** @type {Map<string, Tile>} the least recently used first */
  #tiles = new Map();

  /**
   * @param {MapClient} map
   * @param {number[][]} table the colour table
   * @param {() => void} onTile called when a missing tile has been made
   */
  constructor(map, table, onTile) {
    this.map = map;
    this.table = table;
    this.onTile = onTile;
  }

  /**
   * The tile if it is cached, also one of the previous threshold; null if it is not. A missing or old tile is made.
   * @param {number} level
   * @param {number} column
   * @param {number} row
   * @param {number} threshold
   * @returns {ImageBitmap | null}
   */
  get(level, column, row, threshold) {
    const key = `${level}/${column}/${row}`;
    const tile = this.#tiles.get(key) ?? { bitmap: null, threshold: -1, isMaking: false };
    this.#tiles.delete(key);
    this.#tiles.set(key, tile);
    if (tile.threshold !== threshold && !tile.isMaking) this.#make(key, tile, [level, column, row], threshold);
    return tile.bitmap;
  }

  /** Frees the memory. */
  close() {
    this.#tiles.forEach((tile) => tile.bitmap?.close());
    this.#tiles.clear();
  }

  /**
   * @param {string} key
   * @param {Tile} tile
   * @param {[number, number, number]} place
   * @param {number} threshold
   */
  async #make(key, tile, place, threshold) {
    tile.isMaking = true;
    const bitmap = await this.map.tile(...place, this.table, threshold);
    tile.isMaking = false;
    if (this.#tiles.get(key) !== tile) {
      bitmap.close(); // `close` was called meanwhile
      return;
    }
    tile.bitmap?.close();
    [tile.bitmap, tile.threshold] = [bitmap, threshold];
    for (const [oldest, kept] of this.#tiles) {
      if (this.#tiles.size <= KEPT) break;
      if (oldest === key || kept.isMaking) continue;
      kept.bitmap?.close();
      this.#tiles.delete(oldest);
    }
    this.onTile();
  }
}
