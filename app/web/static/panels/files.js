/**
 * Downloads of the result at the criteria in use, and the curl command that requests it.
 */

import { byId, element } from "../element.js";
import { key } from "../server/key.js";
import { annotate, describe, draw, route } from "../server/prediction.js";
import { save } from "./saving.js";

/** @typedef {import("../inspector.js").Inspector} Inspector */
/** @typedef {import("../session/picture.js").Picture} Picture */

/**
 * @param {Inspector} inspector
 * @param {import("../session/session.js").Session} session
 */
export function showFiles(inspector, session) {
  const [panel, note] = [byId("files-panel", HTMLElement), byId("files-note", HTMLElement)];
  /** @type {[string, string, (picture: Picture) => Promise<Blob>][]} */
  const files = [
    ["Overlay", "overlay.png", (picture) => drawn(inspector, picture, "overlay")],
    ["Heatmap", "heatmap.png", (picture) => drawn(inspector, picture, "heatmap")],
    ["Mask", "mask.png", (picture) => drawn(inspector, picture, "mask")],
    ["Map", "map.npy", async (picture) => /** @type {Blob} */ (picture.prediction?.map)],
    ["JSON", "json", (picture) => describe(picture.answered, picture.file, picture.criteria)],
    ["GeoJSON", "geojson", (picture) => annotated(picture, "geojson")],
    ["COCO", "coco.json", (picture) => annotated(picture, "coco")],
    ["labelme", "labelme.json", (picture) => annotated(picture, "labelme")],
  ];
  const buttons = files.map(([text, suffix, make]) =>
    button(text, async (picture) => {
      save(await make(picture), `${picture.name.replace(/\.\w+$/, "")}.${suffix}`);
      return `${text} saved.`;
    }),
  );
  buttons.push(
    button("Copy curl", async (picture) => {
      const command = curl(picture);
      try {
        await navigator.clipboard.writeText(command);
        return `Copied: ${command}`;
      } catch {
        return command; // browsers let only pages of https and of this machine copy
      }
    }),
  );
  buttons.push(
    button("Run again", async (picture) => {
      session.again(picture); // with the model that is chosen now
      return "";
    }),
  );
  byId("files", HTMLElement).append(...buttons);
  inspector.addEventListener("shown", () => {
    panel.hidden = !inspector.picture?.prediction;
    tell("", false);
  });

  /**
   * @param {string} text
   * @param {(picture: Picture) => Promise<string>} act
   */
  function button(text, act) {
    const made = element("button", { type: "button" }, text);
    made.addEventListener("click", async () => {
      const { picture } = inspector;
      if (!picture?.prediction) return;
      made.disabled = true;
      tell(`${text}…`, false);
      const other = () => (picture === inspector.picture ? "" : `${picture.name}: `);
      try {
        const done = await act(picture);
        if (done) tell(`${other()}${done}`, false);
      } catch (error) {
        tell(`${other()}${error instanceof Error ? error.message : String(error)}`, true);
      }
      made.disabled = false;
    });
    return made;
  }

  /**
   * @param {string} text
   * @param {boolean} isTrouble
   */
  function tell(text, isTrouble) {
    note.textContent = text;
    note.classList.toggle("trouble", isTrouble);
  }
}

/**
 * @param {Inspector} inspector
 * @param {Picture} picture
 * @param {import("../server/prediction.js").Style} style
 */
function drawn(inspector, picture, style) {
  const { threshold, minArea } = picture.criteria;
  const opacity = inspector.viewer.look.opacity;
  const query = { style, threshold, min_region_area: minArea, colormap: inspector.colour, opacity };
  return draw(picture.answered, picture.file, query);
}

/**
 * @param {Picture} picture
 * @param {import("../server/prediction.js").Format} format
 */
function annotated(picture, format) {
  return annotate(picture.answered, picture.file, picture.name, picture.criteria, format);
}

/** @param {Picture} picture */
function curl(picture) {
  const { threshold, minArea } = picture.criteria;
  const query = { threshold, min_region_area: minArea };
  const url = new URL(route(picture.answered, "predict", query), document.baseURI);
  const quoted = `'@${picture.name.replaceAll("'", "'\\''")}'`;
  const sent = key.headers.Authorization ? ' -H "Authorization: Bearer $KEY"' : "";
  return `curl --data-binary ${quoted} -H 'Content-Type: application/octet-stream'${sent} '${url}'`;
}
