/**
 * Zones that are being edited, the polygon that is being drawn, and what was there before each change.
 */

import { scaled, zoneAt, zonesOf } from "./shape.js";

/** @typedef {import("./shape.js").Zone} Zone */
/** @typedef {import("../server/models.js").Choice} Choice */
/** @typedef {import("../server/zones.js").Ring} Ring */
/** @typedef {import("../server/zones.js").ZonesDocument} ZonesDocument */
/** @typedef {import("../viewer/view.js").Size} Size */
/** @typedef {{x: number, y: number}} Point */
/** @typedef {{ring: Ring, number: number}} Corner */
/** @typedef {{zones: Zone[], drawn: Ring | null}} State */

const MOST_UNDONE = 100;
const FEWEST_CORNERS = 3;

/** Dispatches `change` after each change, and `cross` when the cross has moved or another corner is selected. */
export class Draft extends EventTarget {
  /** @type {Zone[]} */
  zones = [];
  /** The corners of the polygon that is being drawn; null: none is.
   * @type {Ring | null} */
  drawn = null;
  /** Where the next corner would be. @type {Point} */
  cross = { x: 0, y: 0 };
  /** The index of the selected corner among `corners`, or -1. */
  corner = -1;
  #selected = -1;
  /** The tag of the zones that were read. */
  tag = "";
  /** The number of the version whose zones were read; null: none were yet. @type {number | null} */
  version = null;
  /** @type {State[]} */
  #before = [];
  /** The zones that the server has, as JSON. */
  #saved = "[]";

  /**
   * @param {Choice} choice the version whose zones these are
   * @param {Size} size of the picture in whose pixels the zones are
   */
  constructor(choice, size) {
    super();
    this.choice = choice;
    this.size = { width: size.width, height: size.height };
  }

  /** Whether there are zones that were not saved. */
  get isChanged() {
    return JSON.stringify(this.zones) !== this.#saved;
  }

  /** The index of the selected zone, or -1. */
  get selected() {
    return this.#selected;
  }

  set selected(index) {
    if (index !== this.#selected) this.corner = -1;
    this.#selected = index;
  }

  /** The corners of the selected zone, ring by ring. @returns {Corner[]} */
  get corners() {
    const rings = this.zones[this.selected]?.polygons.flat() ?? [];
    return rings.flatMap((ring) => ring.map((_, number) => ({ ring, number })));
  }

  get canUndo() {
    return this.#before.length > 0;
  }

  /**
   * Shows the zones that the server has. Zones that were drawn before the first answer follow them; later, changed
   * zones come back by `undo`. A polygon that is being drawn stays.
   * @param {ZonesDocument} document
   * @param {string} tag
   */
  load(document, tag) {
    const [read, early] = [zonesOf(document, this.size), this.version === null ? this.zones : []];
    if (this.version === null) this.#before.forEach((state) => (state.zones = [...structuredClone(read), ...state.zones]));
    else if (this.isChanged) this.#remember();
    [this.zones, this.selected] = [read, -1];
    this.saved(document, tag, read);
    this.zones = [...read, ...early];
    this.#tell();
  }

  /**
   * Records that zones were saved.
   * @param {ZonesDocument} document what the server has now
   * @param {string} tag
   * @param {Zone[]} zones what was saved
   */
  saved({ model }, tag, zones) {
    [this.version, this.tag, this.#saved] = [model?.version ?? null, tag, JSON.stringify(zones)];
    this.#tell();
  }

  /** Follows a picture of another size.
   * @param {Size} size */
  resize(size) {
    if (size.width === this.size.width && size.height === this.size.height) return;
    const { isChanged } = this;
    this.zones.forEach((zone) => (zone.polygons = scaled(zone.polygons, this.size, size)));
    [this.size, this.drawn, this.#before] = [{ width: size.width, height: size.height }, null, []];
    if (!isChanged) this.#saved = JSON.stringify(this.zones);
    this.#tell();
  }

  /** Returns to what was before the last change. */
  undo() {
    const before = this.#before.pop();
    if (!before) return;
    [this.zones, this.drawn] = [before.zones, before.drawn];
    this.selected = Math.min(this.selected, this.zones.length - 1);
    this.corner = Math.min(this.corner, this.corners.length - 1);
    this.#tell();
  }

  /** @param {number} index */
  select(index) {
    if (index === this.selected) return;
    this.selected = index;
    this.#tell();
  }

  /** @param {number} index among `corners`, or -1 */
  selectCorner(index) {
    if (index === this.corner) return;
    this.corner = index;
    this.dispatchEvent(new Event("cross"));
  }

  /** Begins a polygon at its first corner; the cross is in the middle of what is seen.
   * @param {Point} cross */
  begin(cross) {
    [this.drawn, this.cross, this.corner] = [[], this.inside(cross), -1];
    this.#tell();
  }

  /** Drops the polygon that is being drawn. */
  cancel() {
    this.#change(() => (this.drawn = null));
  }

  /** @param {Point} place */
  moveCross(place) {
    this.cross = this.inside(place);
    this.dispatchEvent(new Event("cross"));
  }

  /** Sets a corner of the polygon where the cross is. */
  addCorner() {
    const { x, y } = this.cross;
    const last = this.drawn?.at(-1);
    if (!this.drawn || (last && last[0] === x && last[1] === y)) return;
    this.#change(() => this.drawn?.push([x, y]));
  }

  removeCorner() {
    if (this.drawn?.length) this.#change(() => this.drawn?.pop());
  }

  /** Whether the polygon has enough corners. */
  get isComplete() {
    return this.drawn !== null && this.drawn.length >= FEWEST_CORNERS;
  }

  /** Makes the polygon an ignored zone. */
  finish() {
    const ring = this.drawn;
    if (!ring || !this.isComplete) return;
    this.drawn = null;
    this.add(ring, { zones: this.zones, drawn: ring });
  }

  /**
   * Adds an ignored zone, and selects it.
   * @param {Ring} ring
   * @param {State} [before] what `undo` returns to
   */
  add(ring, before) {
    this.#change(() => {
      this.zones.push({ name: this.#freeName(), polygons: [[ring]], threshold: null, pixelThreshold: null });
      this.selected = this.zones.length - 1;
    }, before);
  }

  #freeName() {
    const names = new Set(this.zones.map(({ name }) => name));
    let number = this.zones.length + 1;
    while (names.has(`zone ${number}`)) number++;
    return `zone ${number}`;
  }

  /**
   * @param {number} index
   * @param {Partial<Zone>} values
   */
  set(index, values) {
    this.#change(() => Object.assign(this.zones[index], values));
  }

  /** @param {number} index */
  remove(index) {
    this.#change(() => {
      this.zones.splice(index, 1);
      this.selected = -1;
    });
  }

  /** The index of the zone that decides at a place; -1: there is none.
   * @param {Point} place */
  zoneAt({ x, y }) {
    const found = zoneAt(this.zones, x, y);
    return found ? this.zones.indexOf(found) : -1;
  }

  /**
   * The corner of the selected zone at a place; null: there is none.
   * @param {Point} place
   * @param {number} near how far it may be away
   * @returns {Corner | null}
   */
  cornerAt({ x, y }, near) {
    /** @param {Corner} corner */
    const away = ({ ring, number }) => Math.hypot(ring[number][0] - x, ring[number][1] - y);
    const nearest = this.corners.sort((one, other) => away(one) - away(other))[0];
    return nearest && away(nearest) <= near ? nearest : null;
  }

  /** Takes a corner out of its ring; returns whether enough others are left.
   * @param {Corner} corner */
  takeOut({ ring, number }) {
    if (ring.length <= FEWEST_CORNERS) return false;
    this.#change(() => ring.splice(number, 1));
    return true;
  }

  /** Remembers the corners before one of them is moved. */
  grab() {
    this.#change(() => {});
  }

  /**
   * @param {Corner} corner
   * @param {Point} place
   */
  drag({ ring, number }, place) {
    const { x, y } = this.inside(place);
    ring[number] = [x, y];
    this.#tell();
  }

  /** The nearest corner of pixels within the picture.
   * @param {Point} place
   * @returns {Point} */
  inside({ x, y }) {
    const { width, height } = this.size;
    return { x: Math.round(Math.min(width, Math.max(0, x))), y: Math.round(Math.min(height, Math.max(0, y))) };
  }

  /**
   * @param {() => void} change
   * @param {State} [before]
   */
  #change(change, before) {
    this.#remember(before);
    change();
    this.#tell();
  }

  /** @param {State} [state] */
  #remember(state = { zones: this.zones, drawn: this.drawn }) {
    this.#before.push(structuredClone(state));
    if (this.#before.length > MOST_UNDONE) this.#before.shift();
  }

  #tell() {
    this.dispatchEvent(new Event("change"));
  }
}
