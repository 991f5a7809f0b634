/**
 * Zones in pixels of the picture that is shown. These functions compute values; nothing is drawn or sent here.
 */

import { contains } from "../review/brush.js";

/** @typedef {import("../server/zones.js").ZonesDocument} ZonesDocument */
/** @typedef {import("../server/zones.js").Ring} Ring */
/** @typedef {import("../viewer/view.js").Size} Size */
/** @typedef {import("../viewer/view.js").Box} Box */

/**
 * @typedef {object} Zone
 * @property {string} name
 * @property {Ring[][]} polygons each has its outer ring and then its holes; the first point is not repeated
 * @property {number | null} threshold in the scale of scores; null: the area is ignored
 * @property {number | null} pixelThreshold of map values; null: `threshold`
 */

/** The margin around a region: of its longer edge, and the least, in pixels. */
const MARGIN_SHARE = 0.25;
const LEAST_MARGIN = 4;

/**
 * The zones of a document, for a picture of this size.
 * @param {ZonesDocument} document
 * @param {Size} size
 * @returns {Zone[]}
 */
export function zonesOf({ image, features }, size) {
  return features.map(({ geometry, properties }) => {
    const polygons = geometry.type === "Polygon" ? [geometry.coordinates] : geometry.coordinates;
    const open = polygons.map((rings) => rings.map((ring) => ring.slice(0, -1)));
    const { name, threshold = null, pixel_threshold: pixelThreshold = null } = properties;
    return { name, polygons: scaled(open, image ?? size, size), threshold, pixelThreshold };
  });
}

/**
 * The document of zones that are drawn on a picture of this size.
 * @param {Zone[]} zones
 * @param {Size} size
 * @returns {ZonesDocument}
 */
export function documentOf(zones, { width, height }) {
  const features = zones.map(({ name, polygons, threshold, pixelThreshold }) => {
    const coordinates = polygons.map((rings) => rings.map((ring) => [...ring, ring[0]]));
    const counts = threshold === null ? { ignore: true } : { threshold };
    const pixels = threshold === null || pixelThreshold === null ? {} : { pixel_threshold: pixelThreshold };
    return {
      type: /** @type {const} */ ("Feature"),
      geometry: { type: /** @type {const} */ ("MultiPolygon"), coordinates },
      properties: { name, ...counts, ...pixels },
    };
  });
  return { type: "FeatureCollection", image: { width, height }, features };
}

/**
 * @param {Ring[][]} polygons
 * @param {Size} from
 * @param {Size} to
 * @returns {Ring[][]}
 */
export function scaled(polygons, from, to) {
  if (from.width === to.width && from.height === to.height) return polygons;
  const [wide, high] = [to.width / from.width, to.height / from.height];
  return polygons.map((rings) => rings.map((ring) => ring.map(([x, y]) => [x * wide, y * high])));
}

/**
 * The zone that decides at a place, as the server finds it; null: there is none.
 * @param {Zone[]} zones
 * @param {number} x
 * @param {number} y
 */
export function zoneAt(zones, x, y) {
  const inside = zones.filter(({ polygons }) => polygons.flat().filter((ring) => contains(ring, x, y)).length % 2);
  return inside.find(({ threshold }) => threshold === null) ?? inside.at(-1) ?? null;
}

/**
 * A rectangle around a region, larger than the region: strong anomalies reach some pixels beyond a zone.
 * @param {Box} box
 * @param {Size} size of the picture
 * @returns {Ring}
 */
export function around({ x, y, width, height }, size) {
  const margin = Math.max(LEAST_MARGIN, Math.round(MARGIN_SHARE * Math.max(width, height)));
  const [left, top] = [Math.max(0, x - margin), Math.max(0, y - margin)];
  const [right, bottom] = [Math.min(size.width, x + width + margin), Math.min(size.height, y + height + margin)];
  return [[left, top], [right, top], [right, bottom], [left, bottom]];
}
