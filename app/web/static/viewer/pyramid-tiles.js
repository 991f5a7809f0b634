/**
 * The pyramid of a finished picture of a job, whose tiles the server sends. They are requested when they are first drawn.
 */

import { get } from "../server/send.js";

/** @typedef {{width: number, height: number, levels: number, tile: number}} Pyramid */

/** The largest number of cached tiles, of a quarter of a MiB each. */
const KEPT = 256;

export class PyramidTiles {
  /** @type {Map<string, ImageBitmap | null>} the least recently used first; null while a tile is requested */
  #tiles = new Map();
  #closed = false;

  /**
   * @param {string} url of the tiles
   * @param {Pyramid} pyramid
   * @param {() => void} onTile called when a missing tile has come
   * @param {(error: unknown) => void} onError called when a tile was not sent; it is not requested again
   */
  constructor(url, { width, height, levels, tile }, onTile, onError) {
    this.url = url;
    this.width = width;
    this.height = height;
    this.edge = tile;
    this.levels = Array.from({ length: levels }, (_, level) => ({
      columns: Math.ceil((width >> level) / tile),
      rows: Math.ceil((height >> level) / tile),
    }));
    this.onTile = onTile;
    this.onError = onError;
  }

  /**
   * The tile if it has come; otherwise null, and the tile is requested. A halved size is rounded down, so that its last
   * column or row may be missing.
   * @param {number} level
   * @param {number} column
   * @param {number} row
   * @returns {ImageBitmap | null}
   */
  tile(level, column, row) {
    const { columns, rows } = this.levels[level];
    if (column >= columns || row >= rows) return null;
    const key = `${level}/${column}/${row}`;
    const known = this.#tiles.get(key);
    if (known === undefined) {
      this.#tiles.set(key, null);
      this.#request(key);
      return null;
    }
    this.#tiles.delete(key);
    this.#tiles.set(key, known);
    return known;
  }

  /** Frees the memory. */
  close() {
    this.#closed = true;
    this.#tiles.forEach((tile) => tile?.close());
    this.#tiles.clear();
  }

  /** @param {string} key */
  async #request(key) {
    try {
      const tile = await createImageBitmap(await (await get(`${this.url}/${key}`)).blob());
      if (this.#closed) return tile.close();
      this.#tiles.set(key, tile);
    } catch (error) {
      if (!this.#closed) this.onError(error);
      return;
    }
    for (const [oldest, kept] of this.#tiles) {
      if (this.#tiles.size <= KEPT) break;
      if (oldest === key || kept === null) continue;
      kept.close();
      this.#tiles.delete(oldest);
    }
    this.onTile();
  }
}
