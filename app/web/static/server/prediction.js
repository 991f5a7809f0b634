/**
 * The requests about a picture.
 */

import { post } from "./send.js";

/** @typedef {import("./models.js").Choice} Choice */
/** @typedef {import("./models.js").Models} Models */
/** @typedef {import("../map/scale.js").Scale} Scale */

/**
 * @typedef {object} Prediction
 * @property {Blob} map the raw value of each pixel: an .npy file
 * @property {number} score normalised
 * @property {string} model the name of the model
 * @property {number} version
 * @property {Scale} scale of the map
 * @property {string} detector
 * @property {string} digest of the version that answered
 * @property {string[]} notes codes of what to know of the prediction, at the calibrated threshold
 */
/** @typedef {{threshold: number, minArea: number}} Criteria */
/**
 * @typedef {object} NormalPatch a place of a normal picture
 * @property {string} picture its name
 * @property {number} width of the picture
 * @property {number} height
 * @property {{x: number, y: number}} place
 * @property {number} distance of the features
 * @property {string} [copy_url] of a small copy of the picture
 */
/**
 * @typedef {object} Evidence
 * @property {number} [ratio] of the peak to the level of normal pictures
 * @property {{x: number, y: number, width: number, height: number}} patch
 * @property {NormalPatch[]} nearest
 */
/**
 * @typedef {object} Explained
 * @property {{peak: {x: number, y: number}, evidence?: Evidence}[]} regions
 * @property {{code: string, message: string}[]} notes
 */
/** @typedef {"overlay" | "heatmap" | "mask"} Style */
/** @typedef {"geojson" | "coco" | "labelme"} Format of an annotation tool */

/**
 * A path of the API, relative to the page. Values of the query that are null are left out.
 * @param {Choice} choice
 * @param {string} what
 * @param {Record<string, string | number | null>} query
 */
export function route({ name, version }, what, query) {
  const given = Object.entries({ version, ...query }).filter(([, value]) => value !== null);
  const text = given.map(([key, value]) => `${key}=${encodeURIComponent(String(value))}`).join("&");
  return `v1/models/${encodeURIComponent(name)}/${what}${text && `?${text}`}`;
}

/**
 * Requests the map, with the score in the headers: one request and one computation. The page finds regions in the map
 * as the server does.
 * @param {Choice} choice
 * @param {Models} models
 * @param {Blob} picture
 * @param {AbortSignal} signal
 * @param {(share: number) => void} onSent
 * @returns {Promise<Prediction>}
 */
export async function predict(choice, models, picture, signal, onSent) {
  const url = route(choice, "anomaly-map", { format: "npy", normalised: "false" });
  const { body, header } = await post(url, picture, signal, onSent);
  const model = header("Tessera-Model") ?? choice.name;
  const details = await models.details(model, header("Tessera-Model-Digest") ?? "");
  if (!details) throw new Error("the model was replaced while it answered; run the picture again");
  const { pixel_threshold: threshold, pixel_min: min, pixel_max: max } = details.calibration;
  return {
    map: body,
    score: Number(header("Tessera-Score")),
    model,
    version: Number(header("Tessera-Model-Version")),
    scale: { threshold, min, max },
    detector: details.detector.name,
    digest: details.digest,
    notes: (header("Tessera-Notes") ?? "").split(", ").filter(Boolean),
  };
}

/**
 * The prediction at a threshold; a score that equals it is normal.
 * @param {Prediction} prediction
 * @param {number} threshold
 * @returns {"anomalous" | "normal"}
 */
export function labelAt({ score }, threshold) {
  return score > threshold ? "anomalous" : "normal";
}

/**
 * The server's prediction as JSON, with the tiles' scores. The server computes it again.
 * @param {Choice} choice
 * @param {Blob} picture
 * @param {Criteria} criteria
 * @returns {Promise<Blob>}
 */
export async function describe(choice, picture, { threshold, minArea }) {
  const query = { include: "tiles", threshold, min_region_area: minArea };
  return (await post(route(choice, "predict", query), picture)).body;
}

/**
 * Why the regions are unusual. The server computes the prediction again.
 * @param {Choice} choice
 * @param {Blob} picture
 * @param {Criteria} criteria
 * @returns {Promise<Explained>}
 */
export async function explain(choice, picture, { threshold, minArea }) {
  const query = { include: "evidence", threshold, min_region_area: minArea };
  const { body } = await post(route(choice, "predict", query), picture);
  return JSON.parse(await body.text());
}

/**
 * The regions as polygons. The server computes the prediction again.
 * @param {Choice} choice
 * @param {Blob} picture
 * @param {string} name of the picture's file, to which the document refers
 * @param {Criteria} criteria
 * @param {Format} format
 * @returns {Promise<Blob>}
 */
export async function annotate(choice, picture, name, { threshold, minArea }, format) {
  const query = { format, threshold, min_region_area: minArea };
  const form = new FormData();
  form.append("image", picture, name);
  return (await post(route(choice, "predict", query), form)).body;
}

/**
 * A PNG drawn by the server, which computes the prediction again.
 * @param {Choice} choice
 * @param {Blob} picture
 * @param {Record<string, string | number | null>} query
 * @returns {Promise<Blob>}
 */
export async function draw(choice, picture, query) {
  return (await post(route(choice, "heatmap", query), picture)).body;
}

/**
 * The picture as a PNG, for formats that this browser cannot read: an overlay without heat and frames.
 * @param {Choice} choice
 * @param {Blob} picture
 */
export function converted(choice, picture) {
  return draw(choice, picture, { style: "overlay", opacity: 0, threshold: 1 });
}
