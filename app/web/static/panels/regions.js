/**
 * The list of the regions, the most anomalous first.
 */

import { byId, element } from "../element.js";
import { counted, score, whole } from "../format.js";

/** @typedef {import("../inspector.js").Inspector} Inspector */

export class RegionList {
  #panel = byId("regions-panel", HTMLElement);
  #title = byId("regions-title", HTMLElement);
  #list = byId("regions", HTMLOListElement);

  /** @param {Inspector} inspector */
  constructor(inspector) {
    this.inspector = inspector;
    this.viewer = inspector.viewer;
    inspector.addEventListener("shown", () => this.#tell());
    inspector.addEventListener("found", () => this.#tell());
    this.viewer.addEventListener("step", (event) => {
      const count = this.viewer.regions.length;
      const { detail: step } = /** @type {CustomEvent<1 | -1>} */ (event);
      const start = this.viewer.picked < 0 && step < 0 ? 0 : this.viewer.picked;
      if (count) this.#pick((start + step + count) % count);
    });
  }

  #tell() {
    const { found } = this.inspector;
    this.#panel.hidden = !found;
    if (!found) return;
    this.viewer.picked = -1;
    this.#title.textContent = found.count
      ? `${counted(found.count, "region")}, ${counted(found.area, "pixel")}`
      : "No regions";
    const rows = found.regions.map(({ peak, area, score: value }, index) => {
      const place = `at ${peak.x}, ${peak.y}`;
      const parts = [String(index + 1), score(value), place, `${whole(area)} px`].map((text) => element("span", {}, text));
      const attributes = { type: "button", class: "region", "aria-pressed": "false", click: () => this.#pick(index) };
      return element("li", {}, element("button", attributes, ...parts));
    });
    const untold = found.count - found.regions.length;
    if (untold) rows.push(element("li", { class: "more" }, `and ${counted(untold, "less anomalous one")}`));
    this.#list.replaceChildren(...rows);
    this.viewer.redraw();
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
