/**
 * The zones of the version that answered for the picture that is shown.
 */

import { readZones } from "../server/zones.js";
import { zonesOf } from "./shape.js";

/** @typedef {import("../inspector.js").Inspector} Inspector */
/** @typedef {import("../server/models.js").Models} Models */
/** @typedef {import("../server/zones.js").ZonesDocument} ZonesDocument */

/**
 * Tells the inspector the zones of each picture that is shown.
 * @param {Inspector} inspector
 * @param {Models} models
 */
export function followZones(inspector, models) {
  /** @type {Map<string, ZonesDocument>} by the digest of the version, whose zones never change */
  const known = new Map();
  inspector.addEventListener("shown", async () => {
    const { picture, shape } = inspector;
    const { prediction } = picture ?? {};
    inspector.useZones([]);
    if (!picture || !prediction || !shape) return;
    try {
      const details = await models.details(prediction.model, prediction.digest);
      if (!details?.zones.length) return;
      const document = known.get(prediction.digest) ?? (await readZones(picture.answered)).document;
      known.set(prediction.digest, document);
      if (picture === inspector.picture && shape === inspector.shape) inspector.useZones(zonesOf(document, shape));
    } catch (error) {
      if (picture === inspector.picture) inspector.complain(error);
    }
  });
}
