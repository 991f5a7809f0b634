/**
 * The tiles of a map in colour, made when they are seen, and kept while there is room.
 */

/** @typedef {import("../map/client.js").MapClient} MapClient */

/** So many tiles of 1 MiB are kept. */
const KEPT = 48;

export class HeatTiles {
  /** @type {Map<string, ImageBitmap | null>} in the order of their use; null while it is made */
  #tiles = new Map();

  /**
   * @param {MapClient} map
   * @param {number[][]} table the colours
   * @param {() => void} onTile called when a tile that was missing is there
   */
  constructor(map, table, onTile) {
    this.map = map;
    this.table = table;
    this.onTile = onTile;
  }

  /**
   * The tile if it is there; otherwise it will be.
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

  /** Gives the memory back. */
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
      tile.close(); // nobody wants it any more
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
