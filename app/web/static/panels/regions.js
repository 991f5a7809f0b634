/**
 * The list of the regions, the most anomalous first.
 */

import { byId, element } from "../element.js";
import { counted, score, whole } from "../format.js";
import { zoneAt } from "../zones/shape.js";

/** @typedef {import("../inspector.js").Inspector} Inspector */

export class RegionList {
  #panel = byId("regions-panel", HTMLElement);
  #title = byId("regions-title", HTMLElement);
  #list = byId("regions", HTMLOListElement);
  #why = byId("regions-why", HTMLElement);

  /** @param {Inspector} inspector */
  constructor(inspector) {
    this.inspector = inspector;
    this.viewer = inspector.viewer;
    inspector.addEventListener("shown", () => this.#tell());
    inspector.addEventListener("found", () => this.#tell());
    inspector.addEventListener("zones", () => this.#tell());
    this.viewer.addEventListener("step", (event) => {
      const count = this.viewer.regions.length;
      const { detail: step } = /** @type {CustomEvent<1 | -1>} */ (event);
      const start = this.viewer.picked < 0 && step < 0 ? 0 : this.viewer.picked;
      if (count) this.#pick((start + step + count) % count);
    });
  }

  #tell() {
    const { found, zones } = this.inspector;
    this.#panel.hidden = !found;
    if (!found) return;
    this.viewer.picked = -1;
    this.#title.textContent = found.count
      ? `${counted(found.count, "region")}, ${counted(found.area, "pixel")}`
      : "No regions";
    this.#why.textContent = this.#reason(found.count);
    const rows = found.regions.map(({ peak, area, score: value, raw }, index) => {
      const zone = zoneAt(zones, peak.x + 0.5, peak.y + 0.5);
      const ranked = value < 1 ? `at ${peak.x}, ${peak.y}` : `raw ${raw.toPrecision(4)}`; // what ranks equal scores
      const place = zone ? `${ranked} in ${zone.name}` : ranked;
      const parts = [String(index + 1), score(value), place, `${whole(area)} px`].map((text) => element("span", {}, text));
      const attributes = { type: "button", class: "region", "aria-pressed": "false", click: () => this.#pick(index) };
      return element("li", {}, element("button", attributes, ...parts));
    });
    const untold = found.count - found.regions.length;
    if (untold) rows.push(element("li", { class: "more" }, `and ${counted(untold, "less anomalous one")}`));
    this.#list.replaceChildren(...rows);
    this.viewer.redraw();
  }

  /**
   * Why verdict and regions seem to disagree; empty if they do not.
   * @param {number} count number of regions
   */
  #reason(count) {
    const { label, criteria } = /** @type {import("../session/picture.js").Picture} */ (this.inspector.picture);
    if (label === "normal") {
      return count ? "The score of the whole picture is not over the threshold, so that the picture is normal." : "";
    }
    if (count) return "";
    const small = criteria.minArea > 1 ? `, or only regions smaller than ${counted(criteria.minArea, "pixel")} are` : "";
    return `The score of the whole picture is over the threshold, but no place in it is${small}. The threshold of the score and that of places are calibrated apart: look where the heat is strongest.`;
  }

  /** @param {number} index */
  #pick(index) {
    const region = this.inspector.found?.regions[index];
    if (!region) return;
    this.viewer.picked = index;
    this.#list.querySelectorAll("button").forEach((button, at) => {
      button.setAttribute("aria-pressed", String(at === index));
      if (at === index) button.scrollIntoView({ block: "nearest" });
    });
    this.viewer.goTo(region.box);
    this.viewer.dispatchEvent(new Event("picked"));
  }
}
