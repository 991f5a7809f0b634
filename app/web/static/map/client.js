/**
 * The map of a picture, in its own worker.
 */

/** @typedef {import("./scale.js").Scale} Scale */
/** @typedef {import("./outline.js").Rect} Rect */

/**
 * @typedef {object} FoundRegion A region in pixels of the picture, as in the server's JSON.
 * @property {{x: number, y: number, width: number, height: number}} box
 * @property {number} area
 * @property {number} score
 * @property {number} raw the largest raw value, which still orders regions whose scores are all 1
 * @property {{x: number, y: number}} peak
 */
/**
 * @typedef {object} Found The regions over a threshold.
 * @property {number} count number of all regions
 * @property {number} area of all regions, in pixels
 * @property {FoundRegion[]} regions the most anomalous ones, at most 500
 */
/**
 * @typedef {object} Shape
 * @property {number} width
 * @property {number} height
 * @property {number} levels number of sizes in which there are tiles: full, half, ...
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
    this.#worker.onerror = () => {
      const error = new Error("A part of the page could not be loaded. Load the page anew.");
      this.#waiting.forEach(({ reject }) => reject(error));
      this.#waiting.clear();
    };
  }

  /**
   * Reads a map. The other methods use that map.
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
   * @param {number[][]} table the colour table
   * @param {number} threshold just below which the heat begins
   * @returns {Promise<ImageBitmap>}
   */
  tile(level, column, row, table, threshold) {
    return this.#ask("tile", { level, column, row, table, threshold });
  }

  /**
   * The highest normalised value in each rectangle.
   * @param {import("../viewer/view.js").Box[]} boxes
   * @returns {Promise<number[]>}
   */
  maxima(boxes) {
    return this.#ask("maxima", { boxes });
  }

  /**
   * The normalised value of a pixel.
   * @param {number} x
   * @param {number} y
   * @returns {Promise<number>}
   */
  value(x, y) {
    return this.#ask("value", { x, y });
  }

  /** Frees the memory. Pending promises are never settled. */
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
