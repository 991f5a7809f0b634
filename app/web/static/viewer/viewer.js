/**
 * The canvas that shows a picture, its heat and its regions.
 */

import { listen } from "./gestures.js";
import { HeatTiles } from "./heat-tiles.js";
import { RegionOutline } from "./region-outline.js";
import { drawScene } from "./scene.js";
import { between, closeUp, excess, fitted, kept, moved, zoomed } from "./view.js";

/** @typedef {import("../map/client.js").MapClient} MapClient */
/** @typedef {import("./picture-levels.js").PictureLevels} PictureLevels */
/** @typedef {import("./pyramid-tiles.js").PyramidTiles} PyramidTiles */
/** @typedef {import("./view.js").View} View */
/** @typedef {import("./view.js").Box} Box */
/** @typedef {import("./gestures.js").Point} Point */
/** @typedef {import("./gestures.js").Tool} Tool */
/** @typedef {import("./scene.js").Look} Look */
/** @typedef {import("./scene.js").Heat} Heat */
/** @typedef {import("./scene.js").Region} Region */

const FLIGHT_MS = 220;
const GRAB = 14;
/** The least share of the opacity that heat keeps over what a person has zoomed to. */
const LEAST_HEAT = 0.3;

export class Viewer extends EventTarget {
  /** @type {Look} */
  look = { opacity: 0.6, split: false, divider: 0.5, outlines: true, grid: null, threshold: 0.5, overlay: null };
  /** @type {Region[]} */
  regions = [];
  picked = -1;
  /** What works on the picture; null: nothing does. @type {Tool | null} */
  tool = null;
  /** @type {View} */
  view = { scale: 1, x: 0, y: 0 };
  /** How long the last frame took to draw, in milliseconds. */
  frameMs = 0;
  /** @type {PictureLevels | PyramidTiles | null} */
  #picture = null;
  /** @type {Heat | null} */
  #heat = null;
  /** The heat of another model, which is drawn left of the divider.
   * @type {Heat | null} */
  #other = null;
  #frame = 0;
  #flight = 0;
  /** The place in the picture under the pointer.
   * @type {Point | null} */
  #pointer = null;
  #window = { width: 1, height: 1 };

  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    super();
    this.canvas = canvas;
    this.context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { alpha: false }));
    new ResizeObserver(() => this.#resize()).observe(canvas);
    listen(canvas, {
      move: (right, down) => this.#go(moved(this.view, right, down, this.#window, this.#size)),
      zoom: (factor, point) => this.zoom(factor, point),
      fit: () => this.fit(),
      actualSize: () => this.actualSize(),
      step: (step) => this.dispatchEvent(new CustomEvent("step", { detail: step })),
      grabs: (point) => this.look.split && Math.abs(point.x - this.look.divider * this.#window.width) < GRAB,
      divide: (point) => this.#divide(point),
      hover: (point) => this.#hover(point),
      tool: () => this.tool,
      placeOf: (point) => ({ x: this.view.x + point.x / this.view.scale, y: this.view.y + point.y / this.view.scale }),
      lengthOf: (length) => length / this.view.scale,
    });
  }

  /**
   * Shows a picture, and closes the previous one.
   * @param {PictureLevels | PyramidTiles | null} picture
   */
  show(picture) {
    this.#picture?.close();
    this.#picture = picture;
    this.showHeat(null, 0, []);
    if (picture) this.#go(fitted(this.#window, picture));
    this.redraw();
  }

  /**
   * Shows the heat of the picture. The caller closes the map.
   * @param {MapClient | null} map
   * @param {number} levels
   * @param {number[][]} table the colour table
   */
  showHeat(map, levels, table) {
    this.#heat?.heat.close();
    this.#heat = map && this.#heatOf(map, levels, table);
    this.showOther(null, 0, []);
    if (!map) [this.regions, this.picked, this.look.grid] = [[], -1, null];
    this.redraw();
  }

  /**
   * Shows the heat of another model left of the divider, while there is one. The caller closes the map.
   * @param {MapClient | null} map of the same size
   * @param {number} levels
   * @param {number[][]} table the colour table
   */
  showOther(map, levels, table) {
    this.#other?.heat.close();
    this.#other = map && this.#heatOf(map, levels, table);
    this.redraw();
  }

  /**
   * @param {MapClient} map
   * @param {number} levels
   * @param {number[][]} table
   * @returns {Heat}
   */
  #heatOf(map, levels, table) {
    const redraw = () => this.redraw();
    return { map, levels, heat: new HeatTiles(map, table, redraw), outline: new RegionOutline(map, levels, redraw) };
  }

  /**
   * Shows other regions of the map.
   * @param {Region[]} regions
   */
  showRegions(regions) {
    this.regions = regions;
    this.#heat?.outline.change();
  }

  /** Shows the whole picture. */
  fit() {
    if (this.#picture) this.#fly(fitted(this.#window, this.#picture));
  }

  /** Shows one pixel of the picture per CSS pixel, around the middle of the window. */
  actualSize() {
    this.zoom(1 / this.view.scale);
  }

  /**
   * @param {number} factor
   * @param {Point} [point] the window's middle if it is not given
   */
  zoom(factor, point = { x: this.#window.width / 2, y: this.#window.height / 2 }) {
    this.#go(zoomed(this.view, factor, point, this.#window, this.#size));
  }

  /** @param {Box} box */
  goTo(box) {
    if (this.#picture) this.#fly(closeUp(box, this.#window, this.#size));
  }

  /** Moves the view so that a place of the picture is in the window.
   * @param {Point} place */
  reveal({ x, y }) {
    const [{ scale }, { width, height }] = [this.view, this.#window];
    const right = excess((x - this.view.x) * scale, width);
    const down = excess((y - this.view.y) * scale, height);
    if (right || down) this.#go(moved(this.view, -right, -down, this.#window, this.#size));
  }

  /** The place of the picture in the middle of the window. @returns {Point} */
  get middle() {
    const { scale, x, y } = this.view;
    return { x: x + this.#window.width / 2 / scale, y: y + this.#window.height / 2 / scale };
  }

  /** Draws in the next animation frame. */
  redraw() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      const started = performance.now();
      this.#draw();
      this.frameMs = performance.now() - started;
    });
  }

  get #size() {
    return this.#picture ?? { width: 1, height: 1 };
  }

  /** The opacity of the heat: it fades while the view is enlarged, so that it does not hide what one zooms to. */
  get #opacity() {
    const enlarged = this.view.scale / fitted(this.#window, this.#size).scale;
    return this.look.opacity * Math.max(LEAST_HEAT, Math.min(1, enlarged ** -0.5));
  }

  get #ratio() {
    return this.canvas.width / this.#window.width;
  }

  #resize() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (!width || !height) return;
    const { middle } = this;
    const wasFitted = this.#picture && this.view.scale === fitted(this.#window, this.#picture).scale;
    this.#window = { width, height };
    const ratio = Math.min(devicePixelRatio, 2);
    [this.canvas.width, this.canvas.height] = [Math.round(width * ratio), Math.round(height * ratio)];
    const { scale } = this.view;
    this.#go(
      wasFitted && this.#picture
        ? fitted(this.#window, this.#picture)
        : kept({ scale, x: middle.x - width / scale / 2, y: middle.y - height / scale / 2 }, this.#window, this.#size),
    );
  }

  /** @param {View} view */
  #go(view) {
    cancelAnimationFrame(this.#flight);
    this.view = view;
    this.dispatchEvent(new Event("view"));
    this.redraw();
  }

  /** @param {View} goal */
  #fly(goal) {
    const [start, from] = [performance.now(), this.view];
    const length = matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : FLIGHT_MS;
    const step = () => {
      const share = length ? Math.min(1, (performance.now() - start) / length) : 1;
      this.#go(share < 1 ? between(from, goal, share * share * (3 - 2 * share), this.#window) : goal);
      if (share < 1) this.#flight = requestAnimationFrame(step);
    };
    step();
  }

  /** @param {Point} point */
  #divide(point) {
    this.look.divider = Math.min(1, Math.max(0, point.x / this.#window.width));
    this.dispatchEvent(new Event("divider"));
    this.redraw();
  }

  /** @param {Point | null} point */
  async #hover(point) {
    const { scale, x: left, y: top } = this.view;
    const x = point ? Math.floor(left + point.x / scale) : -1;
    const y = point ? Math.floor(top + point.y / scale) : -1;
    const over = this.#picture && x >= 0 && y >= 0 && x < this.#size.width && y < this.#size.height;
    const pointer = (this.#pointer = over ? { x, y } : null);
    if (this.look.grid) this.redraw();
    const value = over && this.#heat ? await this.#heat.map.value(x, y) : null;
    if (pointer !== this.#pointer) return; // it is elsewhere by now
    this.dispatchEvent(new CustomEvent("hover", { detail: over ? { x, y, value } : null }));
  }

  #draw() {
    const { context, view, look, regions, picked } = this;
    const [window, ratio, picture] = [this.#window, this.#ratio, this.#picture];
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.fillStyle = getComputedStyle(this.canvas).backgroundColor;
    context.fillRect(0, 0, window.width, window.height);
    if (!picture) return;
    const [heat, other, pointer, opacity] = [this.#heat, this.#other, this.#pointer, this.#opacity];
    drawScene({ context, view, window, picture, ratio }, { picture, heat, other, opacity, look, regions, picked, pointer });
  }
}
