/**
 * Mouse, touch and keys on the picture while zones are edited.
 */

import { CornerKeys } from "./corner-keys.js";

/** @typedef {import("./draft.js").Corner} Corner */
/** @typedef {import("./draft.js").Draft} Draft */
/** @typedef {import("../viewer/gestures.js").Point} Point */
/** @typedef {import("../viewer/gestures.js").Tool} Tool */
/** @typedef {import("../viewer/viewer.js").Viewer} Viewer */

/** How far an arrow key moves the cross, in CSS pixels; with Shift it moves by one pixel of the picture. */
const STEP = 10;

/** @type {Record<string, [number, number]>} */
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** @implements {Tool} */
export class ZoneTool {
  /** @type {Corner | null} the corner that is dragged */
  #corner = null;
  #isDragged = false;

  /**
   * @param {Draft} draft
   * @param {Viewer} viewer
   */
  constructor(draft, viewer) {
    this.draft = draft;
    this.viewer = viewer;
    this.corners = new CornerKeys(draft, viewer);
  }

  /**
   * @param {Point} place
   * @param {number} near
   */
  press(place, near) {
    if (this.draft.drawn) return false;
    this.#corner = this.draft.cornerAt(place, near);
    this.#isDragged = false;
    return this.#corner !== null;
  }

  /** @param {Point} place */
  drag(place) {
    if (!this.#corner) return;
    if (!this.#isDragged) this.draft.grab();
    this.#isDragged = true;
    this.draft.drag(this.#corner, place);
  }

  /**
   * Sets a corner; the first corner closes the polygon. Without a polygon it selects the zone at the place.
   * @param {Point} place
   * @param {number} near
   */
  click(place, near) {
    const { draft } = this;
    if (!draft.drawn) {
      draft.select(draft.zoneAt(place));
      return;
    }
    const [first] = draft.drawn;
    if (draft.isComplete && Math.hypot(first[0] - place.x, first[1] - place.y) <= near) {
      draft.finish();
      return;
    }
    draft.moveCross(place);
    draft.addCorner();
  }

  /** @param {Point} place */
  hover(place) {
    if (this.draft.drawn) this.draft.moveCross(place);
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const { draft } = this;
    if (event.key.toLowerCase() === "z") {
      draft.undo();
      this.corners.undone();
      return true;
    }
    const arrow = ARROWS[event.key];
    if (!draft.drawn) return this.corners.key(event, arrow);
    if (arrow) this.#move(arrow, event.shiftKey);
    else if (event.key === " ") draft.addCorner();
    else if (event.key === "Enter") draft.finish();
    else if (event.key === "Backspace") draft.removeCorner();
    else if (event.key === "Escape") draft.cancel();
    return Boolean(arrow) || [" ", "Enter", "Backspace", "Escape"].includes(event.key);
  }

  /**
   * @param {[number, number]} direction
   * @param {boolean} isFine
   */
  #move([right, down], isFine) {
    const step = isFine ? 1 : Math.max(1, Math.round(STEP / this.viewer.view.scale));
    const { x, y } = this.draft.cross;
    this.draft.moveCross({ x: x + right * step, y: y + down * step });
    this.viewer.reveal(this.draft.cross);
  }
}
