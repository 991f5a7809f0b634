/**
 * The picture that is shown, with its map and its regions. Releases those of the previous picture.
 */

import { MapClient } from "./map/client.js";
import { tilesOf } from "./map/tile-grid.js";
import { converted } from "./server/prediction.js";
import { readPicture } from "./session/reading.js";
import { PictureLevels } from "./viewer/picture-levels.js";
import { overlayOf } from "./zones/marks.js";

/** @typedef {import("./session/picture.js").Picture} Picture */
/** @typedef {import("./server/prediction.js").Criteria} Criteria */
/** @typedef {import("./viewer/viewer.js").Viewer} Viewer */
/** @typedef {import("./map/client.js").Shape} Shape */
/** @typedef {import("./map/client.js").Found} Found */
/** @typedef {import("./zones/shape.js").Zone} Zone */
/** @typedef {(stage: import("./viewer/painter.js").Stage) => void} Overlay */

/**
 * @typedef {object} Open The maps of the picture that is shown.
 * @property {MapClient} map
 * @property {PictureLevels | null} levels the decoded picture, until the viewer has it
 * @property {{map: MapClient, levels: number} | null} other that of the model that answered before
 * @property {boolean} isFinding
 * @property {boolean} isStale
 */

/**
 * Dispatches `shown` when a picture or none is shown, `found` after each search, `colours` when the colour tables are
 * known, `zones` when they are known, and `trouble` with a message.
 */
export class Inspector extends EventTarget {
  /** @type {Picture | null} whose prediction is shown */
  picture = null;
  /** @type {Shape | null} */
  shape = null;
  /** @type {Found | null} */
  found = null;
  /** @type {Open | null} */
  #open = null;
  #turn = 0;
  /** The zones of the version that answered, in pixels of the picture. @type {Zone[]} */
  zones = [];
  #showsZones = true;
  /** What is drawn in place of the zones; null: nothing is. @type {Overlay | null} */
  #overlay = null;

  /** Colour tables by name; empty until the server has sent them.
   * @type {Record<string, number[][]>} */
  colours = {};
  /** The name of the colour table in use; null until there is one.
   * @type {string | null} */
  colour = null;

  /** @param {Viewer} viewer */
  constructor(viewer) {
    super();
    this.viewer = viewer;
  }

  get hasColours() {
    return this.colour !== null;
  }

  /** @param {Record<string, number[][]>} colours colour tables by name; the first one is used */
  useColours(colours) {
    this.colours = colours;
    this.paint(Object.keys(colours)[0]);
    this.dispatchEvent(new Event("colours"));
  }

  /**
   * Shows a picture that has a result; null: none.
   * @param {Picture | null} picture
   */
  async show(picture) {
    if (picture === this.picture) return;
    const turn = ++this.#turn;
    this.#close();
    this.picture = picture;
    this.dispatchEvent(new Event("shown"));
    if (!picture?.prediction) return;
    const map = new MapClient();
    /** @type {Open} */
    const open = (this.#open = { map, levels: picture.levels, other: null, isFinding: false, isStale: false });
    picture.levels = null;
    try {
      const levels = open.levels ?? (await readPicture(picture));
      if (turn !== this.#turn) return levels.close();
      open.levels = levels;
      const shape = await map.load(picture.prediction.map, picture.prediction.scale);
      const fitting = await this.#ofSize(picture, levels, shape);
      if (turn !== this.#turn) return fitting.close();
      open.levels = null;
      this.shape = shape;
      this.viewer.show(fitting);
      this.#paint();
      this.dispatchEvent(new Event("shown"));
      this.find(picture.criteria);
      if (picture.before) await this.#openOther(open, picture.before, shape);
    } catch (error) {
      if (turn === this.#turn) this.complain(error);
    }
  }

  /**
   * Finds the regions again. Of several calls during one search, only the last one is followed by another search.
   * @param {Criteria} criteria
   */
  async find(criteria) {
    const open = this.#open;
    if (!this.picture || !open) return;
    this.picture.criteria = criteria;
    this.viewer.look.threshold = criteria.threshold;
    if (!this.shape) return; // the map is still being read; `show` then finds its regions by these criteria
    open.isStale = true;
    if (open.isFinding) return;
    open.isFinding = true;
    try {
      while (open.isStale) {
        open.isStale = false;
        const { threshold, minArea } = this.picture.criteria;
        const found = await open.map.regions(threshold, minArea);
        if (this.#open !== open) return;
        this.found = found;
        this.viewer.showRegions(found.regions);
        this.dispatchEvent(new Event("found"));
      }
    } catch (error) {
      if (this.#open === open) this.complain(error);
    }
    open.isFinding = false;
  }

  /** @param {Zone[]} zones */
  useZones(zones) {
    this.zones = zones;
    this.#drawOver();
    this.dispatchEvent(new Event("zones"));
  }

  /** @param {boolean} isShown */
  showZones(isShown) {
    this.#showsZones = isShown;
    this.#drawOver();
  }

  /** Draws something else in place of the zones; null: the zones again.
   * @param {Overlay | null} overlay */
  useOverlay(overlay) {
    this.#overlay = overlay;
    this.#drawOver();
  }

  #drawOver() {
    this.viewer.look.overlay = this.#overlay ?? (this.#showsZones ? overlayOf(this.zones) : null);
    this.viewer.redraw();
  }

  /** @param {string} name of the colour table */
  paint(name) {
    this.colour = name;
    this.#paint();
    this.viewer.redraw();
  }

  #paint() {
    if (!this.#open || !this.shape || this.colour === null) return;
    this.viewer.showHeat(this.#open.map, this.shape.levels, this.colours[this.colour]);
    this.#paintOther();
  }

  #paintOther() {
    const other = this.#open?.other;
    if (other && this.colour !== null) this.viewer.showOther(other.map, other.levels, this.colours[this.colour]);
  }

  /**
   * Reads the map of the model that answered before.
   * @param {Open} open
   * @param {import("./server/prediction.js").Prediction} before
   * @param {Shape} shape of the picture
   */
  async #openOther(open, before, shape) {
    const map = new MapClient();
    await map.load(before.map, before.scale);
    if (this.#open !== open) return map.close();
    open.other = { map, levels: shape.levels };
    this.#paintOther();
  }

  /**
   * Shows the tiles of the picture at once, and their scores as soon as they are read from the map. Null: no tiles.
   * @param {import("./server/models.js").Details | null} details of the version that answered
   */
  async showTiles(details) {
    const [open, shape, { look }] = [this.#open, this.shape, this.viewer];
    look.grid = details && shape && tilesOf(details, shape).map((tile) => ({ ...tile, score: null }));
    this.viewer.redraw();
    if (!open || !look.grid) return;
    const tiles = look.grid;
    const scores = await open.map.maxima(tiles.map(({ box }) => box));
    if (look.grid !== tiles) return;
    look.grid = tiles.map((tile, place) => ({ ...tile, score: scores[place] }));
    this.viewer.redraw();
  }

  /**
   * The picture in the map's size. If the browser orients the picture differently, the server's version is used.
   * @param {Picture} picture
   * @param {PictureLevels} levels
   * @param {Shape} shape
   */
  async #ofSize(picture, levels, shape) {
    if (levels.width === shape.width && levels.height === shape.height) return levels;
    levels.close();
    picture.readable = await converted(picture.answered, picture.file);
    return PictureLevels.read(picture.readable);
  }

  #close() {
    this.#open?.map.close();
    this.#open?.levels?.close();
    this.#open?.other?.map.close();
    [this.#open, this.shape, this.found] = [null, null, null];
    this.viewer.show(null);
  }

  /**
   * Reports an error of the picture that is shown.
   * @param {unknown} error
   */
  complain(error) {
    this.dispatchEvent(new CustomEvent("trouble", { detail: error instanceof Error ? error.message : String(error) }));
  }
}
