/**
 * The edges of the regions in and near the visible part. They are requested again when that part changes.
 */

import { levelFor } from "./view.js";

/** @typedef {import("../map/client.js").MapClient} MapClient */
/** @typedef {import("./view.js").View} View */
/** @typedef {import("./view.js").Size} Size */
/** @typedef {import("../map/outline.js").Rect} Rect */

export class RegionOutline {
  /** @type {{level: number, part: Rect, edges: Int32Array} | undefined} */
  #have;
  #asking = false;
  #stale = false;

  /**
   * @param {MapClient} map
   * @param {number} levels number of sizes: full, half, ...
   * @param {() => void} onEdges called when the edges must be drawn again
   */
  constructor(map, levels, onEdges) {
    this.map = map;
    this.levels = levels;
    this.onEdges = onEdges;
  }

  /** Reports that other regions were found. */
  change() {
    this.#stale = true;
    this.onEdges();
  }

  /**
   * The known edges, in pixels of a level. Requests new edges if these do not cover the visible part.
   * @param {View} view
   * @param {Size} window
   * @param {number} ratio
   */
  edges(view, window, ratio) {
    const level = levelFor(view, ratio, this.levels);
    const size = 2 ** level * view.scale;
    const seen = {
      left: (view.x * view.scale) / size,
      top: (view.y * view.scale) / size,
      right: (view.x * view.scale + window.width) / size,
      bottom: (view.y * view.scale + window.height) / size,
    };
    if (this.#stale || this.#have?.level !== level || !contains(this.#have.part, seen)) this.#ask(level, seen);
    return this.#have;
  }

  /**
   * @param {number} level
   * @param {Rect} seen
   */
  async #ask(level, { left, top, right, bottom }) {
    if (this.#asking) return;
    [this.#asking, this.#stale] = [true, false];
    const [wide, high] = [(right - left) / 4, (bottom - top) / 4];
    const part = { left: left - wide, top: top - high, right: right + wide, bottom: bottom + high };
    const edges = await this.map.outline(level, part);
    this.#have = { level, part, edges };
    this.#asking = false;
    this.onEdges();
  }
}

/**
 * @param {Rect} outer
 * @param {Rect} inner
 */
function contains(outer, inner) {
  return (
    outer.left <= inner.left && outer.top <= inner.top && outer.right >= inner.right && outer.bottom >= inner.bottom
  );
}
