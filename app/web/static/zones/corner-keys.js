/**
 * Keys that select, move and remove the corners of the selected zone.
 */

import { byId } from "../element.js";

/** @typedef {import("./draft.js").Draft} Draft */
/** @typedef {import("../viewer/viewer.js").Viewer} Viewer */

/** How far an arrow key moves a corner, in pixels of the picture; and with Shift. */
const STEP = 1;
const FAR_STEP = 10;

export class CornerKeys {
  #announcements = byId("announcements", HTMLElement);
  /** Whether the selected corner has moved since it was selected: `undo` takes its moves back together. */
  #isMoved = false;
  /** Whether the next Tab leaves the picture. */
  #isLeaving = false;

  /**
   * @param {Draft} draft
   * @param {Viewer} viewer
   */
  constructor(draft, viewer) {
    this.draft = draft;
    this.viewer = viewer;
  }

  /** Reports an undo: the next move is a step of its own. */
  undone() {
    this.#isMoved = false;
  }

  /** Forgets the selected corner, because the focus has left the picture. */
  leave() {
    [this.#isMoved, this.#isLeaving] = [false, false];
    this.draft.selectCorner(-1);
  }

  /**
   * @param {KeyboardEvent} event
   * @param {[number, number] | undefined} arrow the direction of an arrow key: right, down
   * @returns {boolean} whether the key was for a corner
   */
  key(event, arrow) {
    if (event.key === "Tab") return this.#step(event.shiftKey ? -1 : 1);
    if (this.draft.corner < 0) return false;
    if (arrow) this.#move(arrow, event.shiftKey ? FAR_STEP : STEP);
    else if (event.key === "Delete" || event.key === "Backspace") this.#remove();
    else if (event.key === "Escape") {
      this.draft.selectCorner(-1);
      this.#isLeaving = true;
      this.#announcements.textContent = "No corner selected";
    } else return false;
    return true;
  }

  /** Selects the next corner (1) or the previous one (-1). After the last one Tab leaves the picture, as everywhere.
   * @param {number} step */
  #step(step) {
    const { draft } = this;
    const wanted = draft.corner < 0 && (step < 0 || this.#isLeaving) ? -1 : draft.corner + step;
    const next = wanted < draft.corners.length ? wanted : -1;
    this.#isMoved = false;
    draft.selectCorner(next);
    if (next >= 0) this.#announce();
    return next >= 0;
  }

  /**
   * @param {[number, number]} direction
   * @param {number} step
   */
  #move([right, down], step) {
    const { draft } = this;
    if (!this.#isMoved) draft.grab();
    this.#isMoved = true;
    const corner = draft.corners[draft.corner];
    const [x, y] = corner.ring[corner.number];
    draft.drag(corner, { x: x + right * step, y: y + down * step });
    this.#announce();
  }

  #remove() {
    const { draft } = this;
    if (!draft.takeOut(draft.corners[draft.corner])) {
      this.#announcements.textContent = "This corner stays: a zone has at least three corners.";
      return;
    }
    this.#isMoved = false;
    draft.selectCorner(Math.min(draft.corner, draft.corners.length - 1));
    this.#announce("Removed. ");
  }

  /** Shows the selected corner, and says which one it is, and where.
   * @param {string} [before] */
  #announce(before = "") {
    const { draft } = this;
    const { ring, number } = draft.corners[draft.corner];
    const [x, y] = ring[number];
    this.viewer.reveal({ x, y });
    const { name } = draft.zones[draft.selected];
    this.#announcements.textContent = `${before}Corner ${draft.corner + 1} of ${draft.corners.length} of ${name}: ${Math.round(x)}, ${Math.round(y)}`;
  }
}
