/**
 * Decoding a picture in the browser.
 */

import { converted } from "../server/prediction.js";
import { PictureLevels } from "../viewer/picture-levels.js";

/** @typedef {import("./picture.js").Picture} Picture */

const THUMBNAIL = 112;

/**
 * Decodes the picture into tiles. The server converts formats that the browser cannot read, such as TIFF, to PNG, once.
 * @param {Picture} picture
 */
export function readPicture(picture) {
  return orConverted(picture, (file) => PictureLevels.read(file));
}

/**
 * Decodes the picture to about the size of a thumbnail.
 * @param {Picture} picture
 */
export function readSmall(picture) {
  return orConverted(picture, (file) => createImageBitmap(file, { resizeHeight: THUMBNAIL, resizeQuality: "medium" }));
}

/**
 * @template Read
 * @param {Picture} picture
 * @param {(file: Blob) => Promise<Read>} read
 * @returns {Promise<Read>}
 */
async function orConverted(picture, read) {
  if (!picture.readable) {
    try {
      return await read(picture.file);
    } catch {
      picture.readable = await converted(picture.answered, picture.file);
    }
  }
  return read(picture.readable);
}

/**
 * The central square of the picture.
 * @param {ImageBitmap} bitmap
 * @returns {HTMLCanvasElement}
 */
export function thumbnailOf(bitmap) {
  const canvas = document.createElement("canvas");
  const scale = THUMBNAIL / Math.min(bitmap.width, bitmap.height);
  const [width, height] = [bitmap.width * scale, bitmap.height * scale];
  [canvas.width, canvas.height] = [THUMBNAIL, THUMBNAIL];
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.drawImage(bitmap, (THUMBNAIL - width) / 2, (THUMBNAIL - height) / 2, width, height);
  return canvas;
}
