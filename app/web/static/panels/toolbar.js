/**
 * The controls for how the picture is shown.
 */

import { byId, element } from "../element.js";
import { score } from "../format.js";
import { describe } from "../server/prediction.js";

/** @typedef {import("../inspector.js").Inspector} Inspector */

/** @param {Inspector} inspector */
export function showToolbar(inspector) {
  const { viewer } = inspector;
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
  showTiles(inspector);
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
 * Requests the tiles' scores from the server when the grid is switched on or a picture is shown with it.
 * @param {Inspector} inspector
 */
function showTiles(inspector) {
  const { viewer } = inspector;
  const grid = byId("grid", HTMLInputElement);
  const update = async () => {
    const { picture, shape } = inspector;
    viewer.look.grid = null;
    viewer.redraw();
    if (!grid.checked || !picture?.prediction || !shape) return;
    try {
      const body = JSON.parse(await (await describe(picture.answered, picture.file, picture.criteria)).text());
      if (picture !== inspector.picture || !grid.checked) return;
      viewer.look.grid = body.tiles.items;
      viewer.redraw();
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
