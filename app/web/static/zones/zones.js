/**
 * Shows the zones of the model over the picture, and opens their panel.
 */

import { byId } from "../element.js";
import { followZones } from "./answered.js";
import { ZonePanel } from "./panel.js";

/**
 * @param {import("../inspector.js").Inspector} inspector
 * @param {import("../server/models.js").Models} models
 * @param {import("../session/session.js").Session} session
 */
export function showZones(inspector, models, session) {
  const [shown, label] = [byId("zones-shown", HTMLInputElement), byId("zones-shown-label", HTMLElement)];
  shown.addEventListener("change", () => inspector.showZones(shown.checked));
  inspector.addEventListener("zones", () => (label.hidden = !inspector.zones.length));
  followZones(inspector, models);
  new ZonePanel(inspector, models, session);
}
