/**
 * The tiles of a map in colour. They are made when they are first drawn, and cached.
 */

/** @typedef {import("../map/client.js").MapClient} MapClient */

/** The largest number of cached tiles, of 1 MiB each. */
const KEPT = 48;

export class HeatTiles {
  /** @type {Map<string, ImageBitmap | null>} the least recently used first; null while a tile is made */
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
   * The tile if it is cached; otherwise null, and the tile is made.
   * @param {number} level
   * @param {number} column
   * @param {number} row
   * @returns {ImageBitmap | null}
   */
  get(level, column, row) {
    const key = `${level}/${column}/${row}`;
    const known = this.#tiles.get(key);
    if (known === undefined) {
      this.#tiles.set(key, null);
      this.#make(key, level, column, row);
      return null;
    }
    this.#tiles.delete(key);
    this.#tiles.set(key, known);
    return known;
  }

  /** Frees the memory. */
  close() {
    this.#tiles.forEach((tile) => tile?.close());
    this.#tiles.clear();
  }

  /**
   * @param {string} key
   * @param {number} level
   * @param {number} column
   * @param {number} row
   */
  async #make(key, level, column, row) {
    const tile = await this.map.tile(level, column, row, this.table);
    if (!this.#tiles.has(key)) {
      tile.close(); // `close` was called meanwhile
      return;
    }
    this.#tiles.set(key, tile);
    for (const [oldest, kept] of this.#tiles) {
      if (this.#tiles.size <= KEPT) break;
      if (oldest === key || kept === null) continue;
      kept.close();
      this.#tiles.delete(oldest);
    }
    this.onTile();
  }
}
