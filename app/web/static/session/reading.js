/**
 * Decoding a picture in the browser.
 */

import { converted } from "../server/prediction.js";
import { PictureLevels } from "../viewer/picture-levels.js";

/** @typedef {import("./picture.js").Picture} Picture */

/** The largest size of a thumbnail, in pixels. */
const THUMBNAIL = { width: 216, height: 108 };

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
  return orConverted(picture, (file) => createImageBitmap(file, { resizeHeight: THUMBNAIL.height, resizeQuality: "medium" }));
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
 * The picture whole, as large as fits into a thumbnail.
 * @param {ImageBitmap} bitmap
 * @returns {HTMLCanvasElement}
 */
export function thumbnailOf(bitmap) {
  const canvas = document.createElement("canvas");
  const scale = Math.min(THUMBNAIL.width / bitmap.width, THUMBNAIL.height / bitmap.height);
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return canvas;
}

/**
 * The size of a picture in pixels, from its header where the browser can; rejects if it cannot read the picture.
 * @param {Blob} file
 * @returns {Promise<{width: number, height: number}>}
 */
export function sizeOf(file) {
  const [image, url] = [new Image(), URL.createObjectURL(file)];
  return new Promise((resolve, reject) => {
    image.onload = () => resolve({ width: image.naturalWidth, height: image.naturalHeight });
    image.onerror = () => reject(new Error("the browser cannot read the picture"));
    image.src = url;
  }).finally(() => URL.revokeObjectURL(url));
}
