/**
 * Reads and replaces the zones of a model.
 */

import { route } from "./prediction.js";
import { get, put } from "./send.js";

/** @typedef {import("./models.js").Choice} Choice */
/** @typedef {[number, number][]} Ring */

/**
 * @typedef {object} Properties Either `ignore` is true, or there is a threshold.
 * @property {string} name
 * @property {boolean} [ignore]
 * @property {number} [threshold]
 * @property {number} [pixel_threshold]
 */
/** @typedef {{type: "Polygon", coordinates: Ring[]} | {type: "MultiPolygon", coordinates: Ring[][]}} Geometry */
/**
 * @typedef {object} ZonesDocument GeoJSON; see the API at /docs.
 * @property {"FeatureCollection"} type
 * @property {{width: number, height: number}} [image]
 * @property {{name: string, version: number}} [model]
 * @property {{type: "Feature", geometry: Geometry, properties: Properties}[]} features
 */
/**
 * @typedef {object} Written
 * @property {string} model
 * @property {number} version
 * @property {number} source
 * @property {boolean} written
 * @property {number | null} live
 * @property {{code: string, message: string} | null} error
 */

/**
 * The zones of a version, and their tag; rejects as `get` does.
 * @param {Choice} choice
 * @returns {Promise<{document: ZonesDocument, tag: string}>}
 */
export async function readZones(choice) {
  const answer = await get(route(choice, "zones", {}));
  return { document: await answer.json(), tag: answer.headers.get("ETag") ?? "" };
}

/**
 * Writes a version with other zones; rejects as `put` does.
 * @param {Choice} choice the version that it begins with
 * @param {ZonesDocument} document
 * @param {string} tag of the zones that were read
 * @returns {Promise<Written>}
 */
export async function writeZones(choice, document, tag) {
  return (await put(route(choice, "zones", {}), document, tag)).json();
}
