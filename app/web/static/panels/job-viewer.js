/**
 * The dialog that shows a finished picture of a job by its pyramid, with its regions.
 */

import { byId, element } from "../element.js";
import { counted, score, whole } from "../format.js";
import { get } from "../server/send.js";
import { PyramidTiles } from "../viewer/pyramid-tiles.js";
import { Viewer } from "../viewer/viewer.js";

/** @typedef {{x: number, y: number, width: number, height: number}} Box */
/** @typedef {{score: number, label: string, roi?: Box, regions: {box: Box, area: number, score: number, zone?: string}[]}} Result */

/** The most regions that are listed; a large picture can have very many. */
const LISTED = 200;

export class JobViewer {
  #dialog = byId("job-view", HTMLDialogElement);
  #title = byId("job-title", HTMLElement);
  #facts = byId("job-facts", HTMLElement);
  #list = byId("job-regions", HTMLOListElement);
  #canvas = byId("job-canvas", HTMLCanvasElement);
  #viewer = new Viewer(this.#canvas);
  /** @type {Box[]} of the listed regions, in pixels of the pyramid */
  #boxes = [];
  #picked = -1;
  /** Counts the pictures that were opened or closed: answers for an earlier one are dropped. */
  #turn = 0;

  constructor() {
    byId("job-close", HTMLButtonElement).addEventListener("click", () => this.#dialog.close());
    byId("job-fit", HTMLButtonElement).addEventListener("click", () => this.#viewer.fit());
    byId("job-actual", HTMLButtonElement).addEventListener("click", () => this.#viewer.actualSize());
    this.#dialog.addEventListener("close", () => {
      this.#turn++;
      this.#viewer.show(null);
    });
    this.#viewer.addEventListener("step", (event) => this.#step(/** @type {CustomEvent<number>} */ (event).detail));
  }

  /**
   * Shows a picture that is done.
   * @param {string} url of the picture
   * @param {string} name
   */
  async show(url, name) {
    this.#title.textContent = name;
    this.#facts.textContent = "";
    this.#list.replaceChildren();
    [this.#boxes, this.#picked] = [[], -1];
    this.#canvas.setAttribute("aria-label", name);
    if (!this.#dialog.open) this.#dialog.showModal();
    const turn = ++this.#turn;
    try {
      const [pyramid, result] = await Promise.all(
        ["pyramid", "result"].map(async (part) => (await get(`${url}/${part}`)).json()),
      );
      if (turn !== this.#turn) return;
      const redraw = () => this.#viewer.redraw();
      const trouble = (/** @type {unknown} */ error) => this.#complain(error);
      this.#viewer.show(new PyramidTiles(`${url}/tiles/overlay`, pyramid, redraw, trouble));
      this.#tell(result);
    } catch (error) {
      if (turn === this.#turn) this.#complain(error);
    }
  }

  /** @param {unknown} error */
  #complain(error) {
    this.#facts.textContent = error instanceof Error ? error.message : String(error);
  }

  /** @param {Result} result */
  #tell({ score: value, label, roi, regions }) {
    const more = regions.length > LISTED ? `, the ${whole(LISTED)} most anomalous of them below` : "";
    this.#facts.textContent = `${label} ${score(value)}, ${counted(regions.length, "region")}${more}`;
    const listed = regions.slice(0, LISTED);
    this.#boxes = listed.map(({ box }) => ({ ...box, x: box.x - (roi?.x ?? 0), y: box.y - (roi?.y ?? 0) }));
    const rows = listed.map((region, place) => {
      const zone = region.zone ? ` in ${region.zone}` : "";
      const text = `${score(region.score)}${zone}, ${whole(region.area)} px`;
      return element("li", {}, element("button", { type: "button", click: () => this.#pick(place) }, text));
    });
    this.#list.replaceChildren(...rows);
  }

  /** @param {number} step */
  #step(step) {
    const count = this.#boxes.length;
    if (count) this.#pick((this.#picked + step + count) % count);
  }

  /** @param {number} place of a region in the list */
  #pick(place) {
    this.#picked = place;
    this.#viewer.goTo(this.#boxes[place]);
    [...this.#list.children].forEach((row, each) => row.setAttribute("aria-current", String(each === place)));
  }
}
