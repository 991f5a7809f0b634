/**
 * The map of a picture, in a worker of its own.
 */

/** @typedef {import("./scale.js").Scale} Scale */
/** @typedef {import("./outline.js").Rect} Rect */

/**
 * @typedef {object} FoundRegion In pixels of the picture, as the server tells it.
 * @property {{x: number, y: number, width: number, height: number}} box
 * @property {number} area
 * @property {number} score
 * @property {{x: number, y: number}} peak
 */
/**
 * @typedef {object} Found The regions over a threshold.
 * @property {number} count of all
 * @property {number} area of all
 * @property {FoundRegion[]} regions the most anomalous, at most 500
 */
/**
 * @typedef {object} Shape
 * @property {number} width
 * @property {number} height
 * @property {number} levels in how many sizes there are tiles: full, half, ...
 * @property {number[]} histogram of the normalised values
 */

export class MapClient {
  #worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
  #asked = 0;
  /** @type {Map<number, {resolve: (answer: any) => void, reject: (error: Error) => void}>} */
  #waiting = new Map();
  #closed = false;

  constructor() {
    this.#worker.onmessage = ({ data: { id, answer, error } }) => {
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === undefined) waiting?.resolve(answer);
      else waiting?.reject(new Error(error));
    };
  }

  /**
   * Reads a map; everything else is asked of what was read.
   * @param {Blob} file
   * @param {Scale} scale
   * @returns {Promise<Shape>}
   */
  load(file, scale) {
    return this.#ask("load", { file, scale });
  }

  /**
   * @param {number} threshold in [0, 1]
   * @param {number} minArea
   * @returns {Promise<Found>}
   */
  regions(threshold, minArea) {
    return this.#ask("regions", { threshold, minArea });
  }

  /**
   * The edges of the regions found last, in pixels of a level; see `edgesIn`.
   * @param {number} level
   * @param {Rect} part
   * @returns {Promise<Int32Array>}
   */
  outline(level, part) {
    return this.#ask("outline", { level, part });
  }

  /**
   * @param {number} level
   * @param {number} column
   * @param {number} row
   * @param {number[][]} table the colours
   * @returns {Promise<ImageBitmap>}
   */
  tile(level, column, row, table) {
    return this.#ask("tile", { level, column, row, table });
  }

  /**
   * The normalised anomaly of a pixel.
   * @param {number} x
   * @param {number} y
   * @returns {Promise<number>}
   */
  value(x, y) {
    return this.#ask("value", { x, y });
  }

  /** Gives the memory back; what was asked is never answered. */
  close() {
    this.#closed = true;
    this.#waiting.clear();
    this.#worker.terminate();
  }

  /**
   * @param {string} kind
   * @param {object} question
   * @returns {Promise<any>}
   */
  #ask(kind, question) {
    return new Promise((resolve, reject) => {
      if (this.#closed) return;
      const id = ++this.#asked;
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ id, kind, ...question });
    });
  }
}
