/**
 * Why the selected region is unusual: its place beside the nearest places of normal pictures.
 */

import { byId, element } from "../element.js";
import { get } from "../server/send.js";
import { explain } from "../server/prediction.js";

/** @typedef {import("../inspector.js").Inspector} Inspector */
/** @typedef {import("../session/picture.js").Picture} Picture */
/** @typedef {import("../server/prediction.js").Explained} Explained */
/** @typedef {import("../server/prediction.js").Evidence} Evidence */
/** @typedef {{x: number, y: number}} Point */

const EDGE = 96; // of a crop on the page, in pixels
const LEAST = 64; // of a crop, in pixels of its picture
const AROUND = 4; // edges of a crop, as a multiple of the patch

export class EvidencePanel {
  #panel = byId("evidence", HTMLElement);
  #button = byId("explain", HTMLButtonElement);
  #found = byId("evidence-found", HTMLElement);
  /** The answer for the picture and the criteria that are shown; null before it was requested.
   * @type {Explained | null} */
  #explained = null;
  #turn = 0;

  /** @param {Inspector} inspector */
  constructor(inspector) {
    this.inspector = inspector;
    inspector.addEventListener("shown", () => this.#forget());
    inspector.addEventListener("found", () => this.#forget());
    inspector.viewer.addEventListener("picked", () => this.#tell());
    this.#button.addEventListener("click", () => this.#explain());
  }

  #forget() {
    this.#turn += 1;
    this.#explained = null;
    this.#panel.hidden = true;
  }

  get #region() {
    const { found, viewer } = this.inspector;
    return found?.regions[viewer.picked] ?? null;
  }

  /** Offers to explain the selected region, or explains it if the server has answered for this picture. */
  #tell() {
    this.#panel.hidden = !this.#region;
    this.#found.replaceChildren();
    this.#button.hidden = this.#explained !== null;
    this.#button.disabled = false;
    if (this.#region && this.#explained) this.#show(this.#region.peak, this.#explained);
  }

  async #explain() {
    const { picture } = this.inspector;
    if (!picture) return;
    const turn = this.#turn;
    this.#button.disabled = true;
    this.#found.replaceChildren(note("Comparing with normal pictures…"));
    try {
      const explained = await explain(picture.answered, picture.file, picture.criteria);
      if (turn !== this.#turn) return;
      this.#explained = explained;
      this.#tell();
    } catch (error) {
      if (turn !== this.#turn) return;
      this.#tell();
      this.#found.replaceChildren(note(error instanceof Error ? error.message : String(error)));
    }
  }

  /**
   * @param {Point} peak of the selected region
   * @param {Explained} explained
   */
  async #show(peak, { regions, notes }) {
    const evidence = regions.find((each) => each.peak.x === peak.x && each.peak.y === peak.y)?.evidence;
    const { picture } = this.inspector;
    if (!evidence || !picture) {
      const compared = regions.filter((each) => each.evidence).length;
      return this.#found.replaceChildren(note(`Only the ${compared} most anomalous regions are compared.`));
    }
    const turn = ++this.#turn;
    const crops = element("div", { class: "crops" });
    const missing = notes.filter(({ code }) => code === "no_evidence").map(({ message }) => note(`Note: ${message}.`));
    const told = sentence(evidence);
    this.#found.replaceChildren(...(told ? [note(told)] : []), crops, ...missing);
    const { patch } = evidence;
    const centre = { x: patch.x + patch.width / 2, y: patch.y + patch.height / 2 };
    const edge = Math.max(LEAST, AROUND * Math.max(patch.width, patch.height));
    const own = crop(picture.readable ?? picture.file, centre, edge, patch, null, "This region");
    const others = evidence.nearest.map((each, index) => {
      const label = `Normal ${index + 1}: ${each.picture} at ${each.place.x}, ${each.place.y}, distance ${each.distance.toPrecision(3)}`;
      const { copy_url: url } = each;
      return url ? crop(copy(url), each.place, edge, patch, each.width, label) : captioned(null, label);
    });
    for (const figure of await Promise.all([own, ...others])) if (turn === this.#turn) crops.append(figure);
  }
}

/** @param {Evidence} evidence */
function sentence({ ratio, nearest }) {
  const far =
    ratio === undefined
      ? ""
      : `Its most unusual place is ${ratio.toPrecision(2)} times as far as the 99.9th percentile of the normal pictures. `;
  return nearest.length ? `${far}The nearest normal patches are shown beside it.` : far.trim();
}

/** @param {string} url */
async function copy(url) {
  return (await get(url)).blob();
}

/**
 * A square around a place of a picture, with a frame around its patch.
 * @param {Blob | Promise<Blob>} file
 * @param {Point} centre in pixels of the original picture
 * @param {number} edge of the square, in the same pixels
 * @param {{width: number, height: number}} patch
 * @param {number | null} width of the original picture, of which the file is a copy; null: it is the original
 * @param {string} label
 */
async function crop(file, centre, edge, patch, width, label) {
  const canvas = element("canvas", { width: EDGE, height: EDGE, role: "img", "aria-label": label });
  let bitmap;
  try {
    bitmap = await createImageBitmap(await file);
  } catch (error) {
    return captioned(null, `${label} (${error instanceof Error ? error.message : error})`);
  }
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const [scale, enlarged] = [width === null ? 1 : bitmap.width / width, EDGE / edge];
  const [left, top, size] = [(centre.x - edge / 2) * scale, (centre.y - edge / 2) * scale, edge * scale];
  context.drawImage(bitmap, left, top, size, size, 0, 0, EDGE, EDGE);
  bitmap.close();
  context.strokeStyle = "#fff";
  const [across, down] = [patch.width * enlarged, patch.height * enlarged];
  context.strokeRect((EDGE - across) / 2, (EDGE - down) / 2, across, down);
  return captioned(canvas, label);
}

/**
 * @param {HTMLCanvasElement | null} canvas null: there is no picture to show
 * @param {string} label
 */
function captioned(canvas, label) {
  const shown = canvas ?? element("div", { class: "nothing" }, "no copy");
  return element("figure", {}, shown, element("figcaption", {}, label));
}

/** @param {string} text */
function note(text) {
  return element("p", { class: "note" }, text);
}
