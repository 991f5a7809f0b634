/**
 * The controls for how the picture is shown.
 */

import { byId, element } from "../element.js";
import { score } from "../format.js";

/** @typedef {import("../inspector.js").Inspector} Inspector */

/**
 * @param {Inspector} inspector
 * @param {import("../server/models.js").Models} models
 */
export function showToolbar(inspector, models) {
  const { viewer } = inspector;
  showTools(inspector);
  const { look } = viewer;
  const opacity = byId("opacity", HTMLInputElement);
  opacity.addEventListener("input", () => {
    look.opacity = opacity.valueAsNumber / 100;
    viewer.redraw();
  });
  const colours = byId("colours", HTMLSelectElement);
  inspector.addEventListener("colours", () => {
    colours.replaceChildren(...Object.keys(inspector.colours).map((name) => element("option", { value: name }, name)));
  });
  colours.addEventListener("change", () => inspector.paint(colours.value));
  const outlines = byId("outlines", HTMLInputElement);
  outlines.addEventListener("change", () => {
    look.outlines = outlines.checked;
    viewer.redraw();
  });
  showDivider(inspector);
  showTiles(inspector, models);
  showZoom(inspector);
}

/** @param {Inspector} inspector */
function showDivider({ viewer }) {
  const { look } = viewer;
  const [split, divider] = [byId("split", HTMLInputElement), byId("divider", HTMLInputElement)];
  split.addEventListener("change", () => {
    look.split = split.checked;
    byId("divider-label", HTMLElement).hidden = !split.checked;
    viewer.redraw();
  });
  divider.addEventListener("input", () => {
    look.divider = divider.valueAsNumber / 100;
    viewer.redraw();
  });
  viewer.addEventListener("divider", () => {
    divider.valueAsNumber = Math.round(100 * look.divider);
  });
}

/**
 * Shows the toolbar while there is a picture. On narrow screens a button opens it.
 * @param {Inspector} inspector
 */
function showTools(inspector) {
  const [tools, opener] = [byId("toolbar", HTMLElement), byId("tools-toggle", HTMLButtonElement)];
  inspector.addEventListener("shown", () => (byId("tools", HTMLElement).hidden = !inspector.picture?.prediction));
  opener.addEventListener("click", () => {
    const isOpen = tools.classList.toggle("open");
    opener.setAttribute("aria-expanded", String(isOpen));
  });
}

/**
 * Shows the tiles when they are switched on, and those of each picture that is shown with them.
 * @param {Inspector} inspector
 * @param {import("../server/models.js").Models} models
 */
function showTiles(inspector, models) {
  const grid = byId("grid", HTMLInputElement);
  const update = async () => {
    const { picture } = inspector;
    const prediction = grid.checked ? picture?.prediction : null;
    try {
      const details = prediction ? await models.details(prediction.model, prediction.digest) : null;
      if (picture !== inspector.picture) return;
      if (prediction && !details) throw new Error("The version that answered is not served any more: its tiles are not known.");
      await inspector.showTiles(grid.checked ? details : null);
    } catch (error) {
      grid.checked = false;
      inspector.complain(error);
    }
  };
  grid.addEventListener("change", update);
  inspector.addEventListener("shown", update);
}

/** @param {Inspector} inspector */
function showZoom({ viewer }) {
  const actions = {
    "zoom-in": () => viewer.zoom(1.5),
    "zoom-out": () => viewer.zoom(1 / 1.5),
    fit: () => viewer.fit(),
    actual: () => viewer.actualSize(),
  };
  for (const [id, act] of Object.entries(actions)) byId(id, HTMLButtonElement).addEventListener("click", act);
  const scale = byId("scale", HTMLOutputElement);
  viewer.addEventListener("view", () => {
    const percent = 100 * viewer.view.scale;
    scale.textContent = `${percent < 10 ? percent.toFixed(1) : Math.round(percent)} %`;
  });
  const readout = byId("readout", HTMLElement);
  viewer.addEventListener("hover", (event) => {
    const { detail } = /** @type {CustomEvent<{x: number, y: number, value: number | null} | null>} */ (event);
    readout.hidden = !detail;
    if (detail) readout.textContent = `${detail.x}, ${detail.y}${detail.value === null ? "" : `  ${score(detail.value)}`}`;
  });
}
